// BP3, BP4 and the step: w_l -> w_l - eta/m delta_l a_{l-1}^T, and b_l, the last column, likewise. The product sums over the examples.

@group(1) @binding(1) var<storage, read> delta: array<T>;    // delta_l: (m, N)
@group(1) @binding(2) var<storage, read_write> w: array<T>;  // w_l, and b_l as its last column: (N, N_BELOW + 1)

fn rows() -> u32 { return N; }
fn columns() -> u32 { return N_BELOW + 1u; }
fn depth() -> u32 { return batch.examples; }

fn left(unit: u32, example: u32) -> T { return delta[example * N + unit]; }
fn right(example: u32, unit_below: u32) -> T { return activation_below(example, unit_below); }

fn finish(unit: u32, unit_below: u32, nabla: T) { w[unit * (N_BELOW + 1u) + unit_below] -= batch.rate * nabla; }
