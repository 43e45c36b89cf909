// A matrix product with few elements and a long common dimension, for the kernel that defines rows(), columns(), depth(), left(), right()
// and finish().
//
// A workgroup computes a tile of 4 x 4 elements. Its threads divide the common dimension, and add up their sums at the end.

const THREADS = 64u;

var<workgroup> sums: array<array<vec4<T>, THREADS>, 4>;  // of each thread, a row of its tile at a time

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) tile: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = 4u * tile.y;
    let column = 4u * tile.x;
    var row_0 = vec4<T>();
    var row_1 = vec4<T>();
    var row_2 = vec4<T>();
    var row_3 = vec4<T>();
    for (var k = thread; k < depth(); k += THREADS) {
        let b = vec4(right(k, column), right(k, column + 1u), right(k, column + 2u), right(k, column + 3u));
        row_0 = fma(vec4(left(row, k)), b, row_0);
        row_1 = fma(vec4(left(row + 1u, k)), b, row_1);
        row_2 = fma(vec4(left(row + 2u, k)), b, row_2);
        row_3 = fma(vec4(left(row + 3u, k)), b, row_3);
    }
    sums[0][thread] = row_0;
    sums[1][thread] = row_1;
    sums[2][thread] = row_2;
    sums[3][thread] = row_3;
    workgroupBarrier();
    if (thread < 16u) {  // one thread for each element
        var sum = T(0);
        for (var n = 0u; n < THREADS; n++) {
            sum += sums[thread / 4u][n][thread % 4u];
        }
        if (row + thread / 4u < rows() && column + thread % 4u < columns()) {
            finish(row + thread / 4u, column + thread % 4u, sum);
        }
    }
}
