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
// Compiled after hardware.cuh, sigmoid.cuh and warp.cuh. THREADS, SHARED_BYTES, NARROW_WARPS and OUTPUT_WARPS are the host's to define.

// Where a mini-batch's examples are named: from order[*start + offset] on.
struct MiniBatch {
    const int *order, *start;
    int offset;
    __device__ const int* examples() const { return order + *start + offset; }
};

// Where an element lies in a matrix of that width. Unsigned: one instruction, where signed numbers take three.
__device__ inline size_t place(unsigned row, unsigned width, unsigned column) { return static_cast<size_t>(row) * width + column; }

// Rows of a matrix of that width.
struct Rows {
    const Real* data;
    int width;

    __device__ int index(int i) const { return i; }
    __device__ const Real* at(int index, int column) const { return data + place(index, width, column); }
    __device__ bool are_images() const { return false; }
};

// The rows of a layer's `below`: as they are, or, of the images, those of the mini-batch's examples.
struct RowsBelow : Rows {
    const int* examples;  // null: rows as they are

    __device__ RowsBelow(const Real* data, int width, MiniBatch batch)
        : Rows{data, width}, examples(batch.order ? batch.examples() : nullptr) {}
    __device__ int index(int i) const { return examples ? examples[i] : i; }
    __device__ const Real* operator[](int i) const { return at(index(i), 0); }
    __device__ bool are_images() const { return examples; }  // which no kernel writes
};

// The two ways in which a factor of a matrix product lies in memory. A line is a row of the left factor or a column of the right one.
// ALONG: do neighbours in memory differ in k, the place along the common dimension, or else in the line?
template <class SomeRows>
struct Along {
    static constexpr bool ALONG = true;
    SomeRows rows;
    int lines;
};

template <class SomeRows>
struct Across {
    static constexpr bool ALONG = false;
    SomeRows rows;
};

// A slice of a factor in shared memory, laid out as the factor is. Of its lines, SIDE threads multiply EACH.
template <class Factor, int SIDE, int EACH, int DEPTH>
struct Slice {
    static constexpr int LINES = SIDE * EACH;
    static constexpr int HEIGHT = Factor::ALONG ? LINES : DEPTH, WIDTH = Factor::ALONG ? DEPTH : LINES;
    static constexpr int PADDING = Factor::ALONG ? QUAD : 0;  // so that the quads of eight lines at one depth lie in different banks
    alignas(16) Real values[HEIGHT][WIDTH + PADDING];

    // Which line is the p-th of the thread at place t of the side.
    __device__ static int line(int t, int p) { return Factor::ALONG ? p * SIDE + t : (p / QUAD * SIDE + t) * QUAD + p % QUAD; }

    // Read that thread's lines at QUAD depths from k on.
    __device__ void read(Real (&to)[QUAD][EACH], int t, int k) const {
        if constexpr (Factor::ALONG) {
#pragma unroll
            for (int p = 0; p < EACH; p++) {
                const Quad quad = *reinterpret_cast<const Quad*>(&values[line(t, p)][k]);
#pragma unroll
                for (int c = 0; c < QUAD; c++) to[c][p] = quad.values[c];
            }
        } else {
#pragma unroll
            for (int c = 0; c < QUAD; c++)
#pragma unroll
                for (int p = 0; p < EACH; p += QUAD) {
                    const Quad quad = *reinterpret_cast<const Quad*>(&values[k + c][line(t, p)]);
#pragma unroll
                    for (int e = 0; e < QUAD; e++) to[c][p + e] = quad.values[e];
                }
        }
    }
};

// The copies from a factor in device memory to slices in shared memory, by all threads of a block, slice after slice.
template <class Factor, class To>
struct Copier {
    static constexpr int IN_ROW = To::WIDTH / QUAD, QUADS = To::HEIGHT * IN_ROW, EACH = (QUADS + THREADS - 1) / THREADS;
    const Factor factor;
    const int first, depth;  // of the lines; of the product
    int from = 0;            // the depth at which the next slice begins
    int index[EACH];         // of the rows of its quads, looked up a slice ahead

    __device__ static int i(int e) { return (threadIdx.x + e * THREADS) / IN_ROW; }
    __device__ static int j(int e) { return (threadIdx.x + e * THREADS) % IN_ROW * QUAD; }

    __device__ Copier(const Factor& factor, int first, int depth) : factor(factor), first(first), depth(depth) { look_up(); }

    // Lines beyond the last repeat it: what comes of them is thrown away. So do rows beyond the depth, which are not copied.
    __device__ void look_up() {
#pragma unroll
        for (int e = 0; e < EACH; e++)
            if constexpr (Factor::ALONG)
                index[e] = factor.rows.index(min(first + i(e), factor.lines - 1));
            else
                index[e] = factor.rows.index(min(from + i(e), depth - 1));
    }
    // Beyond the depth there are zeros. Lines that lie across are ones beyond the last: `update` uses the first of them.
    template <int COUNT>
    __device__ void copy(Real* to, int e, int column) const {
        const bool row_exists = Factor::ALONG || from + i(e) < depth, column_exists = column < factor.rows.width;
        if (Factor::ALONG || column_exists) {
            copy_async<COUNT>(to, factor.rows.at(index[e], column_exists ? column : 0), row_exists && column_exists);
        } else {
#pragma unroll
            for (int c = 0; c < COUNT; c++) to[c] = row_exists;
        }
    }
    __device__ void copy(To& to) {
#pragma unroll
        for (int e = 0; e < EACH; e++) {
            if (QUADS % THREADS && threadIdx.x + e * THREADS >= QUADS) break;
            const int column = (Factor::ALONG ? from : first) + j(e);
            Real* const quad = &to.values[i(e)][j(e)];
            if (factor.rows.width % QUAD == 0) {
                copy<QUAD>(quad, e, column);
            } else {
#pragma unroll 1
                for (int c = 0; c < QUAD; c++) copy<1>(quad + c, e, column + c);
            }
        }
        from += Factor::ALONG ? To::WIDTH : To::HEIGHT;
        if constexpr (!Factor::ALONG) look_up();
    }
};

// The matrix product of left (rows, depth) and right (depth, columns): for every element, finish(i, j, read(i, j), sum) is called once;
// read(i, j) is called before the first slice has come, so that its trip to memory costs nothing.
//
// A block computes a tile from slices of the common dimension: while one is multiplied, others are on their way from device memory. Its
// threads are GROUPS, which share the tile and the slices' depths. A thread of a group computes HIGH x WIDE elements of the tile; 8
// threads lie side by side. In the end the groups add up their parts.
template <int HIGH, int WIDE, int GROUPS, class Left, class Right, class Read, class Finish>
__device__ inline void product(int rows, int columns, int depth, const Left& left, const Right& right, Read read, Finish finish) {
    constexpr int GROUP = THREADS / GROUPS, ABREAST = 8, DEPTH = 4 * QUAD * GROUPS, SHARE = HIGH / GROUPS;
    using LeftSlice = Slice<Left, GROUP / ABREAST, HIGH, DEPTH>;
    using RightSlice = Slice<Right, ABREAST, WIDE, DEPTH>;
    struct Stage {
        LeftSlice left;
        RightSlice right;
    };
    constexpr int FIT = SHARED_BYTES / sizeof(Stage), STAGES = FIT < 3 ? FIT : 3;
    union Layout {
        Stage stages[STAGES];
        Real parts[GROUPS - 1][SHARE * WIDE][THREADS];
    };
    static_assert(STAGES >= 2 && HIGH % GROUPS == 0 && sizeof(Layout) <= SHARED_BYTES);
    const int top = blockIdx.y * LeftSlice::LINES, edge = blockIdx.x * RightSlice::LINES;
    if (top >= rows || edge >= columns) return;
    auto& memory = shared_memory<Layout>();

    // A warp is 4 threads high and 8 wide. Of lanes that differ in the lowest bit all read the same quad of `right`, and of those that
    // differ in the next the same of `left`: on such terms shared memory serves 16 lanes at once.
    const int group = threadIdx.x / GROUP, t = threadIdx.x % GROUP, lane = t % 32;
    const int y = t / 32 * 4 + lane / 16 * 2 + lane % 2, x = lane / 2 % ABREAST;
    auto row = [&](int share, int e) { return top + LeftSlice::line(y, share * SHARE + e / WIDE); };
    auto column = [&](int e) { return edge + RightSlice::line(x, e % WIDE); };

    Copier<Left, LeftSlice> from_left(left, top, depth);
    Copier<Right, RightSlice> from_right(right, edge, depth);
    const bool left_early = left.rows.are_images(), right_early = right.rows.are_images();  // before the wait
#pragma unroll 1
    for (int ahead = 0; ahead < STAGES - 1 && ahead * DEPTH < depth; ahead++) {
        if (left_early) from_left.copy(memory.stages[ahead].left);
        if (right_early) from_right.copy(memory.stages[ahead].right);
    }
    wait_for_predecessor();
    Real sum[HIGH][WIDE] = {}, old[SHARE * WIDE];
    int next = 0, stage = 0;  // where the next slice is copied to; where the slice lies that is multiplied
#pragma unroll 1
    for (int from = (1 - STAGES) * DEPTH; from < depth; from += DEPTH) {
        if (from == 0) {
#pragma unroll
            for (int e = 0; e < SHARE * WIDE; e++) old[e] = read(min(row(group, e), rows - 1), min(column(e), columns - 1));
        }
        if (from >= 0) {
            wait_copies<STAGES - 2>();
            __syncthreads();
        }
        if (from + (STAGES - 1) * DEPTH < depth) {
            if (!left_early || from >= 0) from_left.copy(memory.stages[next].left);
            if (!right_early || from >= 0) from_right.copy(memory.stages[next].right);
        }
        commit_copies();
        next = next + 1 < STAGES ? next + 1 : 0;
        if (from < 0) continue;
        const Stage& slice = memory.stages[stage];
#pragma unroll HIGH * WIDE > 16 ? 2 : 1  // more would not fit the first cache of instructions
        for (int part = 0; part < DEPTH / QUAD; part += GROUPS) {
            if (HIGH * WIDE <= 16 && from + (part + group) * QUAD >= depth) break;  // small tiles are for small depths, too
            Real l[QUAD][HIGH], r[QUAD][WIDE];
            slice.left.read(l, y, (part + group) * QUAD);
            slice.right.read(r, x, (part + group) * QUAD);
#pragma unroll
            for (int k = 0; k < QUAD; k++)
#pragma unroll
                for (int p = 0; p < HIGH; p++)
#pragma unroll
                    for (int q = 0; q < WIDE; q++) sum[p][q] += l[k][p] * r[k][q];
        }
        stage = stage + 1 < STAGES ? stage + 1 : 0;
    }

    // A group adds and finishes its share of every thread's rows.
    Real mine[SHARE * WIDE];
    __syncthreads();
#pragma unroll
    for (int share = 0; share < GROUPS; share++)
#pragma unroll
        for (int e = 0; e < SHARE * WIDE; e++) {
            const Real part = sum[share * SHARE + e / WIDE][e % WIDE];
            if (share == group)
                mine[e] = part;
            else
                memory.parts[(group - share + GROUPS) % GROUPS - 1][e][share * GROUP + t] = part;
        }
    __syncthreads();
#pragma unroll
    for (int e = 0; e < SHARE * WIDE; e++) {
#pragma unroll
        for (int other = 0; other < GROUPS - 1; other++) mine[e] += memory.parts[other][e][threadIdx.x];
        const int i = row(group, e), j = column(e);
        if (i < rows && j < columns) finish(i, j, old[e], mine[e]);
    }
}

#define TILE template <int HIGH, int WIDE, int GROUPS>
// How many blocks a multiprocessor must have the registers for: of the largest tiles one, of the smallest as many as let a block of the
// next kernel begin beside them.
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

// What `update` must know of a layer.
struct Layer {
    Real *w, *b;
    const Real *delta, *below;
    long long n, n_below;
};

// w -> w - delta^T below (BP4), b -> b - sum delta (BP3), all layers in one launch, layer blockIdx.z here; eta/m is in delta. A bias is
// the weight of one more input, that is always 1.
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

// Add to z this lane's part of the products, summed along `depth`, of each of LEFT lines with each of RIGHT; the lanes of a warp read side
// by side. A lane issues AHEAD reads of every line before it multiplies; tests/impls/test_kernels.py checks it in the machine code.
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

// `forward` where there are too few elements for tiles to keep the device busy: a block computes HIGH x WIDE elements. Every thread sums
// its part of the common dimension, VECTOR numbers at a time; then the lanes of a warp add their sums, and then the warps. A thread issues
// all reads of a trip before it multiplies, those of images before the wait; tests/impls/test_kernels.py checks it in the machine code.
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

// The turn: forward through the last layer, then its delta (BP1), times eta/m, and that of the layer below (BP2), where there is one.
// A block takes some examples: one, or, where there are many, several, which share what is read of w. Forward a warp takes one output at a
// time; a lane reads AHEAD elements of each line at once. Backward a thread takes one unit below at a time, and reads OUTPUTS of its
// weights at once, from the level 1 cache if they fit there.
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
    const int summed_here = summed<EXAMPLES>(lane, 0);  // which example's output this lane finishes
    const int i = first + summed_here;
    const bool finishes = summed_here >= 0 && i < m;
    const int example = batch.examples()[finishes ? i : first];
    wait_for_predecessor();

    for (int o = warp; o < n; o += warps) {
        const Real desired = y[place(example, n, o)], bias = b[o];
        Real z[EXAMPLES] = {};
        add_products<AHEAD>(z, a_below, {w + place(o, n_below, 0)}, n_below);
        sum_over_warp<EXAMPLES>(z, lane);
        const Real a = sigmoid(z[0] + bias), value = finishes ? eta_over_m * (a - desired) * a * (1 - a) : Real(0);
        if (summed_here >= 0) deltas[o][summed_here] = value;
        if (finishes) delta[place(i, n, o)] = value;
    }
    if (!delta_below) return;
    __syncthreads();
    for (int j = threadIdx.x; j < n_below; j += blockDim.x) {
        Real a[EXAMPLES], sum[EXAMPLES] = {};
#pragma unroll
        for (int e = 0; e < EXAMPLES; e++) a[e] = a_below[e][j];
        for (int from = 0; from < n; from += OUTPUTS) {
            Real column[OUTPUTS];
            const Real* at = w + place(from, n_below, j);
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++, at += n_below) column[o] = from + o < n ? *at : Real(0);
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

// Of a replay the last: the next begins after these examples.
__global__ void advance(int* start, int examples) {
    launch_dependents();
    wait_for_predecessor();
    *start += examples;
}
