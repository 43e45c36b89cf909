// The mini-batches of a submission. Their images are gathered at its start.

struct Stretch {
    start: u32,            // place of the first example in the epoch's order
    examples: u32,         // of all mini-batches
    first: u32,            // the image in the first row of a buffer of images
    held: u32,             // images in that buffer
}

@group(0) @binding(0) var<uniform> stretch: Stretch;
