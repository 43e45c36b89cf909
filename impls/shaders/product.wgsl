// A matrix product by tiles, for the kernel that defines rows(), columns(), depth(), left(), right() and finish().
//
// A workgroup computes a tile of 4 HIGH DOWN rows and 4 WIDE ACROSS columns with DOWN x ACROSS threads. It copies a stripe of both factors
// to its own memory, STRIPE places of the common dimension at a time. A thread sums HIGH x WIDE blocks of 4 x 4 elements in registers, so
// that a number that it reads is used 4 HIGH or 4 WIDE times. Every element is summed in the same order, whatever the sizes.
//
// WGSL has no loops that a compiler must unroll, and blocks in an array may end up in slow memory. So impls/webgpu_kernel.py repeats a line
// that ends with "for i", "for j" or "for i, j", with i from 0 to HIGH - 1 and j from 0 to WIDE - 1.

struct Block { row_0: vec4<T>, row_1: vec4<T>, row_2: vec4<T>, row_3: vec4<T> }

const LEFT_QUADS = HIGH * DOWN;  // of four rows each
const RIGHT_QUADS = WIDE * ACROSS;  // of four columns each

var<workgroup> left_stripe: array<vec4<T>, STRIPE * LEFT_QUADS>;
var<workgroup> right_stripe: array<vec4<T>, STRIPE * RIGHT_QUADS>;

@compute @workgroup_size(ACROSS, DOWN)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let top = tile.y * 4u * LEFT_QUADS;
    let start = tile.x * 4u * RIGHT_QUADS;
    var c_i_j = Block();  // for i, j
    for (var first = 0u; first < depth(); first += STRIPE) {
        for (var n = thread; n < STRIPE * LEFT_QUADS; n += DOWN * ACROSS) {
            let k = select(n / LEFT_QUADS, n % STRIPE, LEFT_ALONG_DEPTH);  // neighbouring threads read neighbouring numbers
            let quad = select(n % LEFT_QUADS, n / STRIPE, LEFT_ALONG_DEPTH);
            left_stripe[k * LEFT_QUADS + quad] = left_quad(top + 4u * quad, first + k);
        }
        for (var n = thread; n < STRIPE * RIGHT_QUADS; n += DOWN * ACROSS) {
            let k = select(n / RIGHT_QUADS, n % STRIPE, RIGHT_ALONG_DEPTH);
            let quad = select(n % RIGHT_QUADS, n / STRIPE, RIGHT_ALONG_DEPTH);
            right_stripe[k * RIGHT_QUADS + quad] = right_quad(first + k, start + 4u * quad);
        }
        workgroupBarrier();
        for (var k = 0u; k < STRIPE; k++) {
            let a_i = left_stripe[k * LEFT_QUADS + at.y + i * DOWN];  // for i
            let b_j = right_stripe[k * RIGHT_QUADS + at.x + j * ACROSS];  // for j
            c_i_j = plus_outer_product(c_i_j, a_i, b_j);  // for i, j
        }
        workgroupBarrier();
    }
    finish_block(top + 4u * (at.y + i * DOWN), start + 4u * (at.x + j * ACROSS), c_i_j);  // for i, j
}

// Return four numbers of a column of the left factor, 0 below its end. Beside it and below, reading is safe in WGSL and the sums are not stored.
fn left_quad(row: u32, k: u32) -> vec4<T> {
    return select(vec4<T>(), vec4(left(row, k), left(row + 1u, k), left(row + 2u, k), left(row + 3u, k)), k < depth());
}

fn right_quad(k: u32, column: u32) -> vec4<T> {
    return select(vec4<T>(), vec4(right(k, column), right(k, column + 1u), right(k, column + 2u), right(k, column + 3u)), k < depth());
}

fn plus_outer_product(c: Block, a: vec4<T>, b: vec4<T>) -> Block {
    return Block(
        fma(vec4(a.x), b, c.row_0), fma(vec4(a.y), b, c.row_1), fma(vec4(a.z), b, c.row_2), fma(vec4(a.w), b, c.row_3)
    );
}

fn finish_block(row: u32, column: u32, c: Block) {
    finish_row(row, column, c.row_0);
    finish_row(row + 1u, column, c.row_1);
    finish_row(row + 2u, column, c.row_2);
    finish_row(row + 3u, column, c.row_3);
}

fn finish_row(row: u32, column: u32, sums: vec4<T>) {
    if (row < rows()) {
        if (column < columns()) { finish(row, column, sums.x); }
        if (column + 1u < columns()) { finish(row, column + 1u, sums.y); }
        if (column + 2u < columns()) { finish(row, column + 2u, sums.z); }
        if (column + 3u < columns()) { finish(row, column + 3u, sums.w); }
    }
}
