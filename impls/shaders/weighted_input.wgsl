// The weighted input of a layer: z_l = w_l a_{l-1} + b_l. An example is a row here, so z_l = a_{l-1} w_l^T.

@group(1) @binding(1) var<storage, read> w: array<T>;  // w_l, and b_l as its last column: (N, N_BELOW + 1)

fn rows() -> u32 { return batch.examples; }
fn columns() -> u32 { return N; }
fn depth() -> u32 { return N_BELOW + 1u; }

fn left(example: u32, unit_below: u32) -> T { return activation_below(example, unit_below); }
fn right(unit_below: u32, unit: u32) -> T { return w[unit * (N_BELOW + 1u) + unit_below]; }
