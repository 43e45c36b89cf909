// A step of stochastic gradient descent as a few kernels, for any number of layers; a CUDA graph replays them (gpu_graph.py).
//
// Names are Nielsen's. Shapes, row-major, with m the examples of the mini-batch and n_l the width of layer l, short n, and below for
// l - 1: a, delta (m, n); w (n, n_below); b (n); images (examples, n_0); y (examples, n_L), the desired outputs. The lowest layer's
// `below` is the images themselves, whose rows are looked up in the epoch's order: no gathered copy is made.
//
// A replayed kernel gets the same arguments every time. So where a mini-batch starts is `*start + offset`: the offset is fixed, and
// `advance`, the last kernel of a replay, moves the start. Every sum has one order, so the same arguments give the same bits.
//
// Compiled after hardware.cuh and warp.cuh.

// Rows of a matrix with n_below columns: those of the mini-batch as they are, or images by their places in the order.
struct Rows {
    const Real* data;
    const int* places;  // null: rows as they are
    int width;

    __device__ Rows(const Real* data, int width, const int* order, const int* start, int offset)
        : data(data), places(order ? order + *start + offset : nullptr), width(width) {}
    __device__ const Real* operator[](int i) const { return data + static_cast<size_t>(places ? places[i] : i) * width; }
};

__device__ inline Real sigmoid(Real z) { return 1 / (1 + exp(-z)); }

constexpr int SIDE = 16;  // threads of a tile: SIDE * SIDE
constexpr int DEPTH = 16;  // of the products' common dimension, how much is in shared memory at once

template <int EACH>
struct Tile {
    static constexpr int SIZE = SIDE * EACH;
    static constexpr int VECTOR = EACH < 4 ? EACH : 4;             // neighbours that a thread reads at once
    alignas(16) Real left[DEPTH][SIZE + 4], right[DEPTH][SIZE + 4];  // 4 more, so that a column does not lie in one bank

    // Which row or column of the tile is the p-th of the thread at place t of its side.
    __device__ static int at(int t, int p) { return p / VECTOR * SIDE * VECTOR + t * VECTOR + p % VECTOR; }
};

// The matrix product of left (rows, depth) and right (depth, columns): finish(i, j, sum) is called once for every element.
//
// A block computes a square tile, each of its threads EACH x EACH of it. left(i, k) and right(k, j) read an element. Neighbouring
// threads read along k where LEFT_ALONG, RIGHT_ALONG say that memory does, else across. While one slice of the depth is multiplied,
// the next is on its way from device memory.
template <int EACH, bool LEFT_ALONG, bool RIGHT_ALONG, class Left, class Right, class Finish>
__device__ inline void product(int rows, int columns, int depth, Left left, Right right, Finish finish) {
    constexpr int SIZE = Tile<EACH>::SIZE;
    const int top = blockIdx.y * SIZE, edge = blockIdx.x * SIZE;
    if (top >= rows || edge >= columns) return;
    auto& tile = shared_memory<Tile<EACH>>();
    const int t = threadIdx.x, y = t / SIDE, x = t % SIDE;
    auto place = [&](bool along, int e, int& i, int& k) {
        const int index = t + e * SIDE * SIDE;
        i = along ? index / DEPTH : index % SIZE;
        k = along ? index % DEPTH : index / SIZE;
    };
    Real sum[EACH][EACH] = {}, next_left[EACH], next_right[EACH];
    auto fetch = [&](int from) {
#pragma unroll
        for (int e = 0; e < EACH; e++) {
            int i, k;
            place(LEFT_ALONG, e, i, k);
            next_left[e] = top + i < rows && from + k < depth ? left(top + i, from + k) : Real(0);
            place(RIGHT_ALONG, e, i, k);
            next_right[e] = edge + i < columns && from + k < depth ? right(from + k, edge + i) : Real(0);
        }
    };
    fetch(0);
    for (int from = 0; from < depth; from += DEPTH) {
        __syncthreads();
#pragma unroll
        for (int e = 0; e < EACH; e++) {
            int i, k;
            place(LEFT_ALONG, e, i, k);
            tile.left[k][i] = next_left[e];
            place(RIGHT_ALONG, e, i, k);
            tile.right[k][i] = next_right[e];
        }
        __syncthreads();
        fetch(from + DEPTH);
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            Real l[EACH], r[EACH];
#pragma unroll
            for (int p = 0; p < EACH; p++) l[p] = tile.left[k][Tile<EACH>::at(y, p)], r[p] = tile.right[k][Tile<EACH>::at(x, p)];
#pragma unroll
            for (int p = 0; p < EACH; p++)
#pragma unroll
                for (int q = 0; q < EACH; q++) sum[p][q] += l[p] * r[q];
        }
    }
#pragma unroll
    for (int p = 0; p < EACH; p++)
#pragma unroll
        for (int q = 0; q < EACH; q++) {
            const int i = top + Tile<EACH>::at(y, p), j = edge + Tile<EACH>::at(x, q);
            if (i < rows && j < columns) finish(i, j, sum[p][q]);
        }
}

// a = sigmoid(below w^T + b)
template <int EACH>
__global__ void __launch_bounds__(SIDE * SIDE) forward(const Real* below, const int* order, const int* start, int offset, const Real* w,
                                                       const Real* b, Real* a, int m, int n_below, int n) {
    const Rows rows(below, n_below, order, start, offset);
    product<EACH, true, true>(
        m, n, n_below, [&](int i, int k) { return rows[i][k]; }, [&](int k, int j) { return w[static_cast<size_t>(j) * n_below + k]; },
        [&](int i, int j, Real z) { a[static_cast<size_t>(i) * n + j] = sigmoid(z + b[j]); });
}

// delta = (delta_above w_above) * sigmoid'(z), where sigmoid'(z) = a (1 - a) (BP2)
template <int EACH>
__global__ void __launch_bounds__(SIDE * SIDE)
    backward(const Real* delta_above, const Real* w_above, const Real* a, Real* delta, int m, int n_above, int n) {
    product<EACH, true, false>(
        m, n, n_above, [&](int i, int k) { return delta_above[static_cast<size_t>(i) * n_above + k]; },
        [&](int k, int j) { return w_above[static_cast<size_t>(k) * n + j]; },
        [&](int i, int j, Real sum) {
            const size_t place = static_cast<size_t>(i) * n + j;
            delta[place] = sum * a[place] * (1 - a[place]);
        });
}

// What `update` must know of a layer.
struct Layer {
    Real *w, *b;
    const Real *delta, *below;
    long long n, n_below;
};

// w -> w - delta^T below (BP4), b -> b - sum delta (BP3), all layers in one launch, layer blockIdx.z here; eta/m is in delta. A bias is
// the weight of one more input, that is always 1.
template <int EACH>
__global__ void __launch_bounds__(SIDE * SIDE) update(const Layer* layers, const int* order, const int* start, int offset, int m) {
    const Layer layer = layers[blockIdx.z];
    const int n = layer.n, n_below = layer.n_below;
    const Rows below(layer.below, n_below, blockIdx.z == 0 ? order : nullptr, start, offset);
    product<EACH, false, false>(
        n, n_below + 1, m, [&](int j, int i) { return layer.delta[static_cast<size_t>(i) * n + j]; },
        [&](int i, int p) { return p < n_below ? below[i][p] : Real(1); },
        [&](int j, int p, Real nabla) { (p < n_below ? layer.w[static_cast<size_t>(j) * n_below + p] : layer.b[j]) -= nabla; });
}

// `forward` where there are too few elements for tiles to keep the device busy: a warp computes HIGH x WIDE elements, its lanes side by
// side along the depth, and all that it reads is under way at once.
constexpr int HIGH = 2, WIDE = 4;

__global__ void __launch_bounds__(32)
    forward_narrow(const Real* below, const int* order, const int* start, int offset, const Real* w, const Real* b, Real* a, int m,
                   int n_below, int n) {
    const Rows rows(below, n_below, order, start, offset);
    const int lane = threadIdx.x, top = blockIdx.y * HIGH, edge = blockIdx.x * WIDE;
    const Real *left[HIGH], *right[WIDE];
#pragma unroll
    for (int p = 0; p < HIGH; p++) left[p] = rows[min(top + p, m - 1)];
#pragma unroll
    for (int q = 0; q < WIDE; q++) right[q] = w + static_cast<size_t>(min(edge + q, n - 1)) * n_below;
    Real z[HIGH * WIDE] = {};
#pragma unroll 8
    for (int k = lane; k < n_below; k += 32)
#pragma unroll
        for (int p = 0; p < HIGH; p++)
#pragma unroll
            for (int q = 0; q < WIDE; q++) z[p * WIDE + q] += left[p][k] * right[q][k];
    sum_over_warp<HIGH * WIDE>(z, lane);
    const int element = summed<HIGH * WIDE>(lane, 0), i = top + element / WIDE, j = edge + element % WIDE;
    if (element >= 0 && i < m && j < n) a[static_cast<size_t>(i) * n + j] = sigmoid(z[0] + b[j]);
}

// The turn: forward through the last layer, then its delta (BP1), times eta/m, and that of the layer below (BP2), where there is one.
// A block takes one example, and a warp one output at a time.
__global__ void output(const Real* below, int below_is_images, const int* order, const int* start, int offset, const Real* y, const Real* w,
                       const Real* b, Real* delta, Real* delta_below, int n_below, int n, Real eta_over_m) {
    Real* const deltas = &shared_memory<Real>();  // (n): of this example
    const int i = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int example = order[*start + offset + i];
    const Real* a_below = below + static_cast<size_t>(below_is_images ? example : i) * n_below;
    for (int o = warp; o < n; o += warps) {
        Real z = 0;
        for (int k = lane; k < n_below; k += 32) z += w[static_cast<size_t>(o) * n_below + k] * a_below[k];
        sum_over_warp<1>(&z, lane);
        if (lane == 0) {
            const Real a = sigmoid(z + b[o]);
            deltas[o] = delta[static_cast<size_t>(i) * n + o] = eta_over_m * (a - y[static_cast<size_t>(example) * n + o]) * a * (1 - a);
        }
    }
    if (!delta_below) return;
    __syncthreads();
    for (int j = threadIdx.x; j < n_below; j += blockDim.x) {
        Real sum = 0;
        for (int o = 0; o < n; o++) sum += deltas[o] * w[static_cast<size_t>(o) * n_below + j];
        delta_below[static_cast<size_t>(i) * n_below + j] = sum * a_below[j] * (1 - a_below[j]);
    }
}

// Of a replay the last: the next begins after these examples.
__global__ void advance(int* start, int examples) { *start += examples; }
