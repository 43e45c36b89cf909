// The tiled matrix products of gpu_graph, and the memory layouts of their factors. The host defines THREADS and SHARED_BYTES.

// The examples of a mini-batch: their indices start at order[*start + offset].
struct MiniBatch {
    const int *order, *start;
    int offset;
    __device__ const int* examples() const { return order + *start + offset; }
};

// Return the offset of an element in a matrix of this width. With unsigned numbers it is one instruction; with signed ones, three.
__device__ inline size_t place(unsigned row, unsigned width, unsigned column) { return static_cast<size_t>(row) * width + column; }

// The rows of a matrix of this width.
struct Rows {
    const Real* data;
    int width;

    __device__ int index(int i) const { return i; }
    __device__ const Real* at(int index, int column) const { return data + place(index, width, column); }
    __device__ bool are_images() const { return false; }
};

// The rows of a layer's `below`: all rows in order, or, for the images, the rows of the mini-batch's examples.
struct RowsBelow : Rows {
    const int* examples;  // null for rows in order

    __device__ RowsBelow(const Real* data, int width, MiniBatch batch)
        : Rows{data, width}, examples(batch.order ? batch.examples() : nullptr) {}
    __device__ int index(int i) const { return examples ? examples[i] : i; }
    __device__ const Real* operator[](int i) const { return at(index(i), 0); }
    __device__ bool are_images() const { return examples; }  // images: no kernel writes them
};

// The two memory layouts of a factor of a matrix product. A line is a row of the left factor or a column of the right factor.
// ALONG is true if adjacent elements in memory differ in k, the index of the common dimension, and false if they differ in the line.
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

// A slice of a factor in shared memory, with the factor's layout. Each of SIDE threads multiplies EACH of its lines.
template <class Factor, int SIDE, int EACH, int DEPTH>
struct Slice {
    static constexpr int LINES = SIDE * EACH;
    static constexpr int HEIGHT = Factor::ALONG ? LINES : DEPTH, WIDTH = Factor::ALONG ? DEPTH : LINES;
    static constexpr int PADDING = Factor::ALONG ? QUAD : 0;  // puts the quads of eight lines at one depth in different banks
    alignas(16) Real values[HEIGHT][WIDTH + PADDING];

    // Return the p-th line of thread t of the side.
    __device__ static int line(int t, int p) { return Factor::ALONG ? p * SIDE + t : (p / QUAD * SIDE + t) * QUAD + p % QUAD; }

    // Read the lines of thread t at QUAD depths from k on.
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

// Copies from a factor in device memory to slices in shared memory, one slice at a time, by all threads of a block.
template <class Factor, class To>
struct Copier {
    static constexpr int IN_ROW = To::WIDTH / QUAD, QUADS = To::HEIGHT * IN_ROW, EACH = (QUADS + THREADS - 1) / THREADS;
    const Factor factor;
    const int first, depth;  // first line; depth of the product
    int from = 0;            // depth at which the next slice starts
    int index[EACH];         // rows of its quads, looked up one slice ahead

    __device__ static int i(int e) { return (threadIdx.x + e * THREADS) / IN_ROW; }
    __device__ static int j(int e) { return (threadIdx.x + e * THREADS) % IN_ROW * QUAD; }

    __device__ Copier(const Factor& factor, int first, int depth) : factor(factor), first(first), depth(depth) { look_up(); }

    // An index beyond the last line or the depth is clamped. The results of such lines are discarded, and such rows are not copied.
    __device__ void look_up() {
#pragma unroll
        for (int e = 0; e < EACH; e++)
            if constexpr (Factor::ALONG)
                index[e] = factor.rows.index(min(first + i(e), factor.lines - 1));
            else
                index[e] = factor.rows.index(min(from + i(e), depth - 1));
    }
    // Copy zeros beyond the depth. With the layout Across, copy ones beyond the last line: `update` uses the first of these lines.
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

// The matrix product of left (rows, depth) and right (depth, columns). It calls finish(i, j, read(i, j), sum) once for every element. It
// calls read(i, j) before the first slice has arrived, to hide the latency of the read.
//
// A block computes a tile from slices of the common dimension. While it multiplies one slice, it loads others from device memory. The
// threads form GROUPS groups, which compute the same tile from different depths of a slice. A thread computes HIGH x WIDE elements of the
// tile, and 8 threads cover its width. At the end the groups add their parts.
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

    // A warp is 4 threads high and 8 wide. Lanes that differ in the lowest bit read the same quad of `right`, and lanes that differ in the
    // next bit the same quad of `left`. This lets shared memory serve 16 lanes at once.
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
    int next = 0, stage = 0;  // stages of the slice to copy next, and of the slice to multiply
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
#pragma unroll HIGH * WIDE > 16 ? 2 : 1  // more would not fit the first-level instruction cache
        for (int part = 0; part < DEPTH / QUAD; part += GROUPS) {
            if (HIGH * WIDE <= 16 && from + (part + group) * QUAD >= depth) break;  // small tiles often have small depths
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

    // Each group adds and finishes its share of every thread's rows.
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
