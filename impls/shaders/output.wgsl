// The last layer, and BP1: delta_L = (a_L - y) sigmoid'(z_L), where sigmoid'(z) = a (1 - a) and y is 1 for the unit of the label, else 0.

@group(1) @binding(2) var<storage, read> order: array<u32>;      // the epoch's order of the examples
@group(1) @binding(3) var<storage, read> labels: array<u32>;     // of all examples
@group(1) @binding(4) var<storage, read_write> delta: array<T>;  // delta_L: (m, N)

fn finish(example: u32, unit: u32, z: T) {
    let a = sigmoid(z);
    let y = select(T(0), T(1), unit == labels[order[batch.start + example]]);
    delta[example * N + unit] = (a - y) * a * (T(1) - a);
}
