// A step of stochastic gradient descent as a few kernels, for any number of layers; a CUDA graph replays them (gpu_graph.py).
//
// Names are Nielsen's. Shapes, row-major, with m the examples of the mini-batch and n_l the width of layer l, short n, and below for
// l - 1: a, delta (m, n); w (n, n_below); b (n); images (examples, n_0); y (examples, n_L), the desired outputs. The lowest layer's
// `below` is the images themselves, whose rows are looked up in the epoch's order: no gathered copy is made.
//
// A replayed kernel gets the same arguments every time. So where a mini-batch starts (struct MiniBatch) is `*start + offset`: the offset is
// fixed, and `advance`, the last kernel of a replay, moves the start. Every sum has one order, so the same arguments give the same bits.
//
// A kernel may begin before the one in front of it has ended (programmatic dependent launch). Three rules keep that correct:
// - Every kernel waits for its predecessor before it writes device memory and before it reads what a kernel writes. As the predecessor
//   waited too, all kernels before it have ended by then. A block without work need not wait.
// - Before that wait a kernel reads only what no kernel of the graph writes (images, y, order, the table of layers), and the start, which
//   `advance` alone writes: it waits for the last kernel that reads it, and the next replay begins when it has ended.
// - No pointer that is read is __restrict__: that would let the compiler move a load up past the wait, or use a cache that is not coherent.
//
// Compiled after hardware.cuh, sigmoid.cuh and warp.cuh. SIDE, DEPTH, HIGH, WIDE and OUTPUT_WARPS are the host's to define.

// Where a mini-batch's examples are named: from order[*start + offset] on.
struct MiniBatch {
    const int *order, *start;
    int offset;
    __device__ const int* examples() const { return order + *start + offset; }
};

// Rows of a matrix of that width: as they are, or, of the images, those of the mini-batch's examples.
struct Rows {
    const Real* data;
    int width;
    const int* examples;  // null: rows as they are

    __device__ Rows(const Real* data, int width, MiniBatch batch = {})
        : data(data), width(width), examples(batch.order ? batch.examples() : nullptr) {}
    __device__ const Real* operator[](int i) const { return data + static_cast<size_t>(examples ? examples[i] : i) * width; }
};

// The three ways in which a factor of a matrix product lies in memory. `line` finds a row of the left factor or a column of the right
// one, once; at(line, k) reads its element at depth k. ALONG: do neighbours in memory differ in k, or else in the line?
struct Along {
    static constexpr bool ALONG = true;
    Rows rows;
    __device__ const Real* line(int i) const { return rows[i]; }
    __device__ Real at(const Real* line, int k) const { return line[k]; }
};

struct Across {
    static constexpr bool ALONG = false;
    const Real* data;
    int width;
    __device__ const Real* line(int i) const { return data + i; }
    __device__ Real at(const Real* line, int k) const { return line[static_cast<size_t>(k) * width]; }
};

struct AcrossAndOnes {  // and one more line, of ones
    static constexpr bool ALONG = false;
    Rows rows;
    __device__ int line(int i) const { return i; }
    __device__ Real at(int line, int k) const { return line < rows.width ? rows[k][line] : Real(1); }
};

// A multiprocessor holds three blocks of small tiles, that hide each other's waiting, or one of the largest, that hides its own.
#define TILE_BOUNDS __launch_bounds__(SIDE * SIDE, EACH * sizeof(Real) <= 16 ? 3 : 1)

template <int EACH>
struct Tile {
    static constexpr int SIZE = SIDE * EACH;
    static constexpr int VECTOR = EACH < 4 ? EACH : 4;              // neighbours that a thread reads at once
    alignas(16) Real left[DEPTH][SIZE + 4], right[DEPTH][SIZE + 4];  // 4 more, so that a column does not lie in one bank

    // Which line of the tile is the p-th of the thread at place t of its side.
    __device__ static int at(int t, int p) { return p / VECTOR * SIDE * VECTOR + t * VECTOR + p % VECTOR; }
};

// The part of one factor that a thread carries from device memory to a tile: EACH elements, neighbouring threads reading neighbours.
template <int EACH, class Factor>
struct Carrier {
    const Factor& factor;
    decltype(factor.line(0)) lines[EACH];
    Real values[EACH];

    __device__ static int i(int e) { return (threadIdx.x + e * SIDE * SIDE) / (Factor::ALONG ? DEPTH : 1) % Tile<EACH>::SIZE; }
    __device__ static int k(int e) { return (threadIdx.x + e * SIDE * SIDE) / (Factor::ALONG ? 1 : Tile<EACH>::SIZE) % DEPTH; }

    // Lines beyond the last repeat it: what comes of them is thrown away.
    __device__ Carrier(const Factor& factor, int first, int count) : factor(factor) {
#pragma unroll
        for (int e = 0; e < EACH; e++) lines[e] = factor.line(min(first + i(e), count - 1));
    }
    __device__ void fetch(int from, int depth) {
#pragma unroll
        for (int e = 0; e < EACH; e++) values[e] = from + k(e) < depth ? factor.at(lines[e], from + k(e)) : Real(0);
    }
    __device__ void store(Real (&to)[DEPTH][Tile<EACH>::SIZE + 4]) const {
#pragma unroll
        for (int e = 0; e < EACH; e++) to[k(e)][i(e)] = values[e];
    }
};

// The matrix product of left (rows, depth) and right (depth, columns): finish(i, j, sum) is called once for every element.
//
// A block of SIDE x SIDE threads computes a square tile, each thread EACH x EACH of it, from slices of DEPTH of the common dimension:
// while one is multiplied, the next is on its way from device memory to the other of two tiles in shared memory.
template <int EACH, class Left, class Right, class Finish>
__device__ inline void product(int rows, int columns, int depth, const Left& left, const Right& right, Finish finish) {
    using Place = Tile<EACH>;
    const int top = blockIdx.y * Place::SIZE, edge = blockIdx.x * Place::SIZE;
    if (top >= rows || edge >= columns) return;
    auto& tiles = shared_memory<Place[2]>();
    const int y = threadIdx.x / SIDE, x = threadIdx.x % SIDE;
    Carrier<EACH, Left> from_left(left, top, rows);
    Carrier<EACH, Right> from_right(right, edge, columns);
    Real sum[EACH][EACH] = {};
    wait_for_predecessor();
    from_left.fetch(0, depth), from_right.fetch(0, depth);
    from_left.store(tiles[0].left), from_right.store(tiles[0].right);
    __syncthreads();
    for (int from = 0; from < depth; from += DEPTH) {
        Place &tile = tiles[from / DEPTH % 2], &next = tiles[(from / DEPTH + 1) % 2];
        from_left.fetch(from + DEPTH, depth), from_right.fetch(from + DEPTH, depth);
#pragma unroll
        for (int k = 0; k < DEPTH; k++) {
            Real l[EACH], r[EACH];
#pragma unroll
            for (int p = 0; p < EACH; p++) l[p] = tile.left[k][Place::at(y, p)], r[p] = tile.right[k][Place::at(x, p)];
#pragma unroll
            for (int p = 0; p < EACH; p++)
#pragma unroll
                for (int q = 0; q < EACH; q++) sum[p][q] += l[p] * r[q];
        }
        from_left.store(next.left), from_right.store(next.right);
        __syncthreads();
    }
#pragma unroll
    for (int p = 0; p < EACH; p++)
#pragma unroll
        for (int q = 0; q < EACH; q++) {
            const int i = top + Place::at(y, p), j = edge + Place::at(x, q);
            if (i < rows && j < columns) finish(i, j, sum[p][q]);
        }
}

// a = sigmoid(below w^T + b)
template <int EACH>
__global__ void TILE_BOUNDS
    forward(const Real* below, MiniBatch batch, const Real* w, const Real* b, Real* __restrict__ a, int m, int n_below, int n) {
    launch_dependents();
    product<EACH>(m, n, n_below, Along{Rows(below, n_below, batch)}, Along{Rows(w, n_below)},
                  [&](int i, int j, Real z) { a[static_cast<size_t>(i) * n + j] = sigmoid(z + b[j]); });
}

// delta = (delta_above w_above) * sigmoid'(z), where sigmoid'(z) = a (1 - a) (BP2)
template <int EACH>
__global__ void TILE_BOUNDS
    backward(const Real* delta_above, const Real* w_above, const Real* a, Real* __restrict__ delta, int m, int n_above, int n) {
    launch_dependents();
    product<EACH>(m, n, n_above, Along{Rows(delta_above, n_above)}, Across{w_above, n}, [&](int i, int j, Real sum) {
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
__global__ void TILE_BOUNDS
    update(const Layer* layers, MiniBatch batch, int m) {
    launch_dependents();
    const Layer layer = layers[blockIdx.z];
    const int n = layer.n, n_below = layer.n_below;
    const AcrossAndOnes below{Rows(layer.below, n_below, blockIdx.z == 0 ? batch : MiniBatch{})};
    product<EACH>(n, n_below + 1, m, Across{layer.delta, n}, below, [&](int j, int p, Real nabla) {
        (p < n_below ? layer.w[static_cast<size_t>(j) * n_below + p] : layer.b[j]) -= nabla;
    });
}

// Add to z this lane's part of the products, summed along `depth`, of each of LEFT lines with each of RIGHT; the lanes of a warp read side
// by side. A lane issues AHEAD reads of every line before it multiplies, so that the 784 pixels of a digit take two trips to memory;
// tests/impls/test_kernels.py checks it in the machine code.
constexpr int AHEAD = 13;

template <int LEFT, int RIGHT>
__device__ inline void add_products(Real (&z)[LEFT * RIGHT], const Real* const (&left)[LEFT], const Real* const (&right)[RIGHT], int depth) {
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

// `forward` where there are too few elements for tiles to keep the device busy: a warp computes HIGH x WIDE elements. The 1 gives a thread
// the registers for all its reads; without it the compiler saves registers, and half of the reads wait for the others.
__global__ void __launch_bounds__(32, 1)
    forward_narrow(const Real* below, MiniBatch batch, const Real* w, const Real* b, Real* __restrict__ a, int m, int n_below, int n) {
    launch_dependents();
    const Rows rows(below, n_below, batch);
    const int lane = threadIdx.x, top = blockIdx.y * HIGH, edge = blockIdx.x * WIDE;
    const Real *left[HIGH], *right[WIDE];
#pragma unroll
    for (int p = 0; p < HIGH; p++) left[p] = rows[min(top + p, m - 1)];
#pragma unroll
    for (int q = 0; q < WIDE; q++) right[q] = w + static_cast<size_t>(min(edge + q, n - 1)) * n_below;
    if (batch.order) {  // images, that no kernel writes
#pragma unroll 1
        for (int k = lane * SECTOR; k < n_below; k += 32 * SECTOR)
#pragma unroll
            for (int p = 0; p < HIGH; p++) prefetch(left[p] + k);
    }
    wait_for_predecessor();
    Real z[HIGH * WIDE];
#pragma unroll
    for (int q = 0; q < WIDE; q++) {
        const Real bias = lane == 0 ? b[min(edge + q, n - 1)] : Real(0);  // in one lane's sum, to be read with the weights
#pragma unroll
        for (int p = 0; p < HIGH; p++) z[p * WIDE + q] = bias;
    }
    add_products(z, left, right, n_below);
    sum_over_warp<HIGH * WIDE>(z, lane);
    const int element = summed<HIGH * WIDE>(lane, 0), i = top + element / WIDE, j = edge + element % WIDE;
    if (element >= 0 && i < m && j < n) a[static_cast<size_t>(i) * n + j] = sigmoid(z[0]);
}

// The turn: forward through the last layer, then its delta (BP1), times eta/m, and that of the layer below (BP2), where there is one.
// A block takes one example, and a warp one output at a time.
__global__ void __launch_bounds__(32 * OUTPUT_WARPS, 1)
    output(const Real* below, int below_is_images, MiniBatch batch, const Real* y, const Real* w, const Real* b, Real* __restrict__ delta,
           Real* __restrict__ delta_below, int n_below, int n, Real eta_over_m) {
    launch_dependents();
    Real* const deltas = &shared_memory<Real>();  // (n): of this example
    const int i = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = blockDim.x / 32;
    const int example = batch.examples()[i];
    const Real* a_below = below + static_cast<size_t>(below_is_images ? example : i) * n_below;
    wait_for_predecessor();
    for (int o = warp; o < n; o += warps) {
        const Real desired = y[static_cast<size_t>(example) * n + o];
        Real z[] = {lane == 0 ? b[o] : Real(0)};
        add_products(z, {a_below}, {w + static_cast<size_t>(o) * n_below}, n_below);
        sum_over_warp<1>(z, lane);
        if (lane == 0) {
            const Real a = sigmoid(z[0]);
            deltas[o] = delta[static_cast<size_t>(i) * n + o] = eta_over_m * (a - desired) * a * (1 - a);
        }
    }
    if (!delta_below) return;
    __syncthreads();
    for (int j = threadIdx.x; j < n_below; j += blockDim.x) {
        const Real a = a_below[j];
        Real sum = 0;
        for (int o = 0; o < n; o++) sum += deltas[o] * w[static_cast<size_t>(o) * n_below + j];
        delta_below[static_cast<size_t>(i) * n_below + j] = sum * a * (1 - a);
    }
}

// Of a replay the last: the next begins after these examples.
__global__ void advance(int* start, int examples) {
    launch_dependents();
    wait_for_predecessor();
    *start += examples;
}
