// Compute the dot products of all images of mini-batch k with all images of the LEAD mini-batches before it, and write records[k]; k is
// the block. A warp multiplies ROWS images of mini-batch k with the mini-batch `before` steps earlier.
constexpr int PARTS = whole(EXAMPLES * EXAMPLES * sizeof(Real), 512), ROWS = whole(EXAMPLES, PARTS);

__global__ void __launch_bounds__(32 * LEAD * PARTS)
    prepare(const Real* __restrict__ images, const int* __restrict__ labels, const int* __restrict__ order, Record* records, int n) {
    const int k = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32, part = warp % PARTS, before = warp / PARTS + 1;
    auto example = [&](int k, int e) { return order[min(k * EXAMPLES + e, n - 1)]; };
    if (threadIdx.x < EXAMPLES) records[k].labels[threadIdx.x] = labels[example(k, threadIdx.x)];
    if (before > k) return;
    const Real *left[ROWS], *right[EXAMPLES];
#pragma unroll
    for (int p = 0; p < ROWS; p++) left[p] = images + static_cast<size_t>(example(k, min(part * ROWS + p, EXAMPLES - 1))) * INPUTS;
#pragma unroll
    for (int q = 0; q < EXAMPLES; q++) right[q] = images + static_cast<size_t>(example(k - before, q)) * INPUTS;
    constexpr int COUNT = ROWS * EXAMPLES;
    Real sum[COUNT] = {};
#pragma unroll 1
    for (int i = lane; i < INPUTS; i += 32) {
        Real l[ROWS], r[EXAMPLES];
#pragma unroll
        for (int p = 0; p < ROWS; p++) l[p] = left[p][i];
#pragma unroll
        for (int q = 0; q < EXAMPLES; q++) r[q] = right[q][i];
#pragma unroll
        for (int p = 0; p < ROWS; p++)
#pragma unroll
            for (int q = 0; q < EXAMPLES; q++) sum[p * EXAMPLES + q] += l[p] * r[q];
    }
    sum_over_warp<COUNT>(sum, lane);
#pragma unroll
    for (int slot = 0; slot < slots(COUNT); slot++) {
        const int i = summed<COUNT>(lane, slot), e = part * ROWS + i / EXAMPLES;
        if (i >= 0 && e < EXAMPLES) records[k].gram[before - 1][e][i % EXAMPLES] = sum[slot];
    }
}
