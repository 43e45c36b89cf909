// Copies the images of the next mini-batches side by side, in the epoch's order. A buffer may be too small for all images, so they are
// divided among several buffers, and each dispatch copies the images of one of them.

@group(1) @binding(0) var<storage, read> images: array<T>;   // (held, PIXELS)
@group(1) @binding(1) var<storage, read> order: array<u32>;  // the epoch's order of the examples
@group(1) @binding(2) var<storage, read_write> x: array<T>;  // (examples, PIXELS)

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    for (var example = group.x; example < stretch.examples; example += groups.x) {
        let image = order[stretch.start + example] - stretch.first;  // wraps around for images before this buffer's
        if (image < stretch.held) {
            for (var pixel = thread; pixel < PIXELS; pixel += 64u) {
                x[example * PIXELS + pixel] = images[image * PIXELS + pixel];
            }
        }
    }
}
