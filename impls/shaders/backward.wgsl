// BP2: delta_l = (w_{l+1}^T delta_{l+1}) sigmoid'(z_l), where sigmoid'(z) = a (1 - a). An example is a row here.

@group(1) @binding(0) var<storage, read> delta_above: array<T>;  // delta_{l+1}: (m, N_ABOVE)
@group(1) @binding(1) var<storage, read> w_above: array<T>;      // w_{l+1}, and b_{l+1} as its last column: (N_ABOVE, N + 1)
@group(1) @binding(2) var<storage, read> a: array<T>;            // a_l: (m, N)
@group(1) @binding(3) var<storage, read_write> delta: array<T>;  // delta_l: (m, N)

fn rows() -> u32 { return batch.examples; }
fn columns() -> u32 { return N; }
fn depth() -> u32 { return N_ABOVE; }

fn left(example: u32, unit_above: u32) -> T { return delta_above[example * N_ABOVE + unit_above]; }
fn right(unit_above: u32, unit: u32) -> T { return w_above[unit_above * (N + 1u) + unit]; }

fn finish(example: u32, unit: u32, sum: T) {
    let at = example * N + unit;
    delta[at] = sum * a[at] * (T(1) - a[at]);
}
