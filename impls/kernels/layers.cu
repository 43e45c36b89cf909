// The kernels of a step of stochastic gradient descent, for any number of layers. A CUDA graph replays them (gpu_graph.py).
//
// The names are Nielsen's. Shapes, row-major, with m the examples of the mini-batch, n the width of layer l, and n_below that of layer
// l - 1: a, delta (m, n); w (n, n_below); b (n); images (examples, n_0); y (examples, n_L), the desired outputs. For the lowest layer,
// `below` is the images: the kernels look up the rows in the epoch's order and do not gather a copy.
//
// A replayed kernel has the same arguments every time. So a mini-batch (struct MiniBatch) starts at `*start + offset`: the offset is
// constant, and `advance`, the last kernel of a replay, moves the start. Every sum has a fixed order, so the same arguments give the same
// bits.
//
// A kernel may start before the previous one has ended (programmatic dependent launch). Three rules keep that correct:
// - Every kernel waits for its predecessor before it writes device memory, and before it reads data that a kernel writes. The predecessor
//   waited too, so all earlier kernels have ended by then. A block without work need not wait.
// - Before that wait, a kernel reads only data that kernels of the graph do not write (images, y, order, the table of layers), and the
//   start. Only `advance` writes the start. It waits for the last kernel that reads it, and the next replay starts after it has ended.
// - Pointers for reading are not __restrict__: the compiler could move a load above the wait, or use a cache that is not coherent.
//
// Compiled after hardware.cuh, sigmoid.cuh, warp.cuh and product.cuh. The host defines THREADS, SHARED_BYTES, NARROW_WARPS and
// OUTPUT_WARPS.

#define TILE template <int HIGH, int WIDE, int GROUPS>
// The number of blocks for which a multiprocessor must have enough registers: one for the largest tiles; for the smallest tiles enough that
// a block of the next kernel can start beside them.
#define TILE_KERNEL(SMALLEST) \
    __global__ void __launch_bounds__(THREADS, HIGH * WIDE * sizeof(Real) > 128  ? 1 \
                                               : HIGH * WIDE * sizeof(Real) > 64 ? 2 \
                                                                                 : SMALLEST)

// a = sigmoid(below w^T + b)
TILE TILE_KERNEL(4)
    forward(const Real* below, MiniBatch batch, const Real* w, const Real* b, Real* __restrict__ a, int m, int n_below, int n) {
    launch_dependents();
    product<HIGH, WIDE, GROUPS>(
        m, n, n_below, Along<RowsBelow>{{below, n_below, batch}, m}, Along<Rows>{{w, n_below}, n}, [&](int, int j) { return b[j]; },
        [&](int i, int j, Real bias, Real z) { a[place(i, n, j)] = sigmoid(z + bias); });
}

// delta = (delta_above w_above) * sigmoid'(z), where sigmoid'(z) = a (1 - a) (BP2)
TILE TILE_KERNEL(3)
    backward(const Real* delta_above, const Real* w_above, const Real* a, Real* __restrict__ delta, int m, int n_above, int n) {
    launch_dependents();
    product<HIGH, WIDE, GROUPS>(
        m, n, n_above, Along<Rows>{{delta_above, n_above}, m}, Across<Rows>{{w_above, n}},
        [&](int i, int j) { return a[place(i, n, j)]; },
        [&](int i, int j, Real a, Real sum) { delta[place(i, n, j)] = sum * a * (1 - a); });
}

// The arrays and widths of a layer, for `update`.
struct Layer {
    Real *w, *b;
    const Real *delta, *below;
    long long n, n_below;
};

// w -> w - delta^T below (BP4), b -> b - sum delta (BP3), for all layers in one launch; blockIdx.z is the layer. delta includes eta/m. A
// bias is the weight of an additional input that is always 1.
TILE TILE_KERNEL(4)
    update(const Layer* layers, MiniBatch batch, int m) {
    launch_dependents();
    const Layer layer = layers[blockIdx.z];
    const int n = layer.n, n_below = layer.n_below;
    const Across<RowsBelow> below{{layer.below, n_below, blockIdx.z == 0 ? batch : MiniBatch{}}};
    auto weight = [&](int j, int p) { return p < n_below ? layer.w + place(j, n_below, p) : layer.b + j; };
    product<HIGH, WIDE, GROUPS>(
        n, n_below + 1, m, Across<Rows>{{layer.delta, n}}, below, [&](int j, int p) { return *weight(j, p); },
        [&](int j, int p, Real old, Real nabla) { *weight(j, p) = old - nabla; });
}

// Add to z this lane's part of the dot products, of length `depth`, of each of LEFT lines with each of RIGHT. The lanes of a warp read
// adjacent elements. A lane issues AHEAD reads of every line before it multiplies; tests/impls/test_kernels.py checks the machine code.
template <int AHEAD, int LEFT, int RIGHT>
__device__ inline void add_products(Real (&z)[LEFT * RIGHT], const Real* const (&left)[LEFT], const Real* const (&right)[RIGHT],
                                    int depth) {
    for (int from = threadIdx.x % 32; from < depth; from += 32 * AHEAD) {
        Real l[AHEAD][LEFT], r[AHEAD][RIGHT];
#pragma unroll
        for (int trip = 0; trip < AHEAD; trip++) {
            const int k = from + 32 * trip;
#pragma unroll
            for (int p = 0; p < LEFT; p++) l[trip][p] = k < depth ? left[p][k] : Real(0);
#pragma unroll
            for (int q = 0; q < RIGHT; q++) r[trip][q] = k < depth ? right[q][k] : Real(0);
        }
#pragma unroll
        for (int trip = 0; trip < AHEAD; trip++)
#pragma unroll
            for (int p = 0; p < LEFT; p++)
#pragma unroll
                for (int q = 0; q < RIGHT; q++) z[p * RIGHT + q] += l[trip][p] * r[trip][q];
    }
}

// `forward` for results so small that tiles would not keep the device busy: a block computes HIGH x WIDE elements. Each thread sums its
// part of the common dimension, VECTOR numbers at a time; then the lanes of a warp add their sums, and then the warps. A thread issues all
// reads of an iteration before it multiplies, and reads images before the wait; tests/impls/test_kernels.py checks the machine code.
template <int HIGH, int WIDE, int VECTOR>
__global__ void __launch_bounds__(32 * NARROW_WARPS, 1)
    forward_narrow(const Real* below, MiniBatch batch, const Real* w, const Real* b, Real* __restrict__ a, int m, int n_below, int n) {
    launch_dependents();
    constexpr int COUNT = HIGH * WIDE;
    auto& parts = shared_memory<Real[NARROW_WARPS][COUNT]>();
    const RowsBelow rows(below, n_below, batch);
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32, top = blockIdx.y * HIGH, edge = blockIdx.x * WIDE;
    struct alignas(VECTOR * sizeof(Real)) Vector {
        Real values[VECTOR];
    };
    const Vector *left[HIGH], *right[WIDE];
    const int vectors = n_below / VECTOR;  // of a line
#pragma unroll
    for (int p = 0; p < HIGH; p++) left[p] = reinterpret_cast<const Vector*>(rows[min(top + p, m - 1)]) + threadIdx.x;
#pragma unroll
    for (int q = 0; q < WIDE; q++)
        right[q] = reinterpret_cast<const Vector*>(w + place(min(edge + q, n - 1), n_below, 0)) + threadIdx.x;
    Vector l[HIGH] = {}, r[WIDE];
    Real z[COUNT] = {};
    auto read_left = [&] {
#pragma unroll
        for (int p = 0; p < HIGH; p++) l[p] = *left[p], left[p] += blockDim.x;
    };
    if (rows.are_images() && threadIdx.x < vectors) read_left();
    wait_for_predecessor();
    const int j = edge + threadIdx.x % WIDE;
    const Real bias = b[min(j, n - 1)];
#pragma unroll 1
    for (int place = threadIdx.x; place < vectors; place += blockDim.x) {
        if (place >= blockDim.x || !rows.are_images()) read_left();
#pragma unroll
        for (int q = 0; q < WIDE; q++) r[q] = *right[q], right[q] += blockDim.x;
#pragma unroll
        for (int c = 0; c < VECTOR; c++)
#pragma unroll
            for (int p = 0; p < HIGH; p++)
#pragma unroll
                for (int q = 0; q < WIDE; q++) z[p * WIDE + q] += l[p].values[c] * r[q].values[c];
    }
    reconverge();
    sum_over_warp<COUNT>(z, lane);
#pragma unroll
    for (int slot = 0; slot < slots(COUNT); slot++)
        if (const int element = summed<COUNT>(lane, slot); element >= 0) parts[warp][element] = z[slot];
    __syncthreads();
    static_assert(32 % WIDE == 0);  // so that a thread's elements have the same j
    for (int element = threadIdx.x; element < COUNT; element += blockDim.x) {
        const int i = top + element / WIDE;
        Real sum = bias;
#pragma unroll
        for (int other = 0; other < NARROW_WARPS; other++) sum += other < blockDim.x / 32 ? parts[other][element] : Real(0);
        if (i < m && j < n) a[place(i, n, j)] = sigmoid(sum);
    }
}

// The forward pass of the last layer, then its delta (BP1), times eta/m, then the delta of the layer below (BP2), if there is one.
// A block processes one example, or, if there are many, several that share the reads of w. In the forward pass, a warp computes one output
// at a time, and a lane reads AHEAD elements of each line at once. In the backward pass, a thread computes one unit of the layer below at
// a time, and reads OUTPUTS of its weights at once: for its first unit before the forward pass, on which that read does not depend.
template <int EXAMPLES>
__global__ void __launch_bounds__(32 * OUTPUT_WARPS, 1)
    output(const Real* below, int below_is_images, MiniBatch batch, const Real* y, const Real* w, const Real* b, Real* __restrict__ delta,
           Real* __restrict__ delta_below, int m, int n_below, int n, Real eta_over_m) {
    launch_dependents();
    constexpr int AHEAD = EXAMPLES == 1 ? 6 : 4, OUTPUTS = 10;
    auto deltas = &shared_memory<Real[EXAMPLES]>();  // (n, EXAMPLES)
    const int first = blockIdx.x * EXAMPLES, lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const RowsBelow rows(below, n_below, below_is_images ? batch : MiniBatch{});
    const Real* a_below[EXAMPLES];
#pragma unroll
    for (int e = 0; e < EXAMPLES; e++) a_below[e] = rows[min(first + e, m - 1)];
    const int summed_here = summed<EXAMPLES>(lane, 0);  // index of the example whose output this lane finishes
    const int i = first + summed_here;
    const bool finishes = summed_here >= 0 && i < m;
    const int example = batch.examples()[finishes ? i : first];
    wait_for_predecessor();

    Real a[EXAMPLES], column[OUTPUTS];  // activations of a unit of the layer below, and its weights to OUTPUTS outputs
    auto read_unit = [&](int j, int from) {
#pragma unroll
        for (int e = 0; e < EXAMPLES; e++) a[e] = a_below[e][j];
        const Real* at = w + place(from, n_below, j);
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++, at += n_below) column[o] = from + o < n ? *at : Real(0);
    };
    if (delta_below && threadIdx.x < n_below) read_unit(threadIdx.x, 0);

    for (int o = warp; o < n; o += warps) {
        const Real desired = y[place(example, n, o)], bias = b[o];
        Real z[EXAMPLES] = {};
        add_products<AHEAD>(z, a_below, {w + place(o, n_below, 0)}, n_below);
        sum_over_warp<EXAMPLES>(z, lane);
        const Real out = sigmoid(z[0] + bias), value = finishes ? eta_over_m * (out - desired) * out * (1 - out) : Real(0);
        if (summed_here >= 0) deltas[o][summed_here] = value;
        if (finishes) delta[place(i, n, o)] = value;
    }
    if (!delta_below) return;
    __syncthreads();
    for (int j = threadIdx.x; j < n_below; j += blockDim.x) {
        Real sum[EXAMPLES] = {};
        for (int from = 0; from < n; from += OUTPUTS) {
            if (j >= blockDim.x || from > 0) read_unit(j, from);
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
                for (int e = 0; e < EXAMPLES; e++)
                    if (from + o < n) sum[e] += deltas[from + o][e] * column[o];
        }
#pragma unroll
        for (int e = 0; e < EXAMPLES; e++)
            if (first + e < m) delta_below[place(first + e, n_below, j)] = sum[e] * a[e] * (1 - a[e]);
    }
}

// The last kernel of a replay: move the start past these examples; after the last of the n examples, back to 0 for the next epoch.
__global__ void advance(int* start, int examples, int n) {
    launch_dependents();
    wait_for_predecessor();
    const int next = *start + examples;
    *start = next < n ? next : 0;
}
