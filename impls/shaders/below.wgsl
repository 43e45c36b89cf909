// a_{l-1}, with a last unit that is always 1: the bias b_l is the weight from it.

@group(1) @binding(0) var<storage, read> below: array<T>;  // (m, N_BELOW): a row for each example; under the first layer, the gathered images

fn activation_below(example: u32, unit: u32) -> T {
    let row = example + select(0u, batch.row, BELOW_IS_IMAGES);
    return select(below[row * N_BELOW + unit], T(1), unit == N_BELOW);
}
