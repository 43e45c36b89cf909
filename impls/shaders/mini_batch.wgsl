// The mini-batch that a step trains on. All kernels of a step bind it.

struct MiniBatch {
    examples: u32,        // m
    start: u32,           // place of its first example in the epoch's order
    row: u32,             // its first row in the gathered images
    @align(16) rate: T,   // eta / m
}

@group(0) @binding(0) var<uniform> batch: MiniBatch;
