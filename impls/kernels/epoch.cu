// A kernel that trains a network with one hidden layer for a whole epoch in one launch, one mini-batch after the other.
//
// Each of BLOCKS blocks has UNITS hidden units, and each of the THREADS threads of a block has COLUMNS pixels. A weight of the first
// layer stays in a register of the thread of its pixel from the first step to the last. In a block, only this thread reads that pixel
// of an image. So only two sums need communication: z_1 over the threads of a block, and z_2 over the blocks.
//
// The names are Nielsen's; layers 0 (pixels), 1 (hidden), 2 (outputs). Shapes: w_1 (HIDDEN, PIXELS), w_2 (OUTPUTS, HIDDEN). In shared
// memory, for the block's own units: a_1 and delta_1 [UNITS][EXAMPLES], delta_2 [OUTPUTS][EXAMPLES]. A thread holds a chunk of CHUNK
// examples at once. The arrays have space for EXAMPLES = CHUNKS * CHUNK examples; those beyond the m of the mini-batch have delta 0 and
// do not change the weights. Every sum has a fixed order, so the same arguments give the same bits.
//
// Compiled after hardware.cuh, clocks.cuh, sigmoid.cuh, warp.cuh, sizes.cuh, and either cluster.cuh or grid.cuh.

struct Shared {
    Mailbox mail;
    Real z1[WARPS][UNITS][EXAMPLES];  // each warp's part of w_1 a_0
    Real a1[UNITS][EXAMPLES], delta1[UNITS][EXAMPLES];
    Real delta2[OUTPUTS][EXAMPLES];
    Real w2[OUTPUTS][UNITS], b1[UNITS], b2[OUTPUTS];
    int rows[2][EXAMPLES];  // indices of the mini-batch's images, for even and odd steps
    int labels[EXAMPLES];
};
static_assert(sizeof(Shared) <= SHARED_BYTES, "gpu_fused.py counts the shared memory wrong");

// The number of threads that compute the same quad of z_2. Each sends it to DESTINATIONS / SENDERS blocks, so more senders finish sooner.
// But each sender needs its own thread: computing a second quad takes longer than sending the first one again.
constexpr int senders(int most) { return most > 1 && ITEMS / QUAD * most > THREADS ? senders(most / 2) : most; }
constexpr int SENDERS = senders(DESTINATIONS);

using Pixels = Real[COLUMNS][CHUNK];   // this thread's pixels of a chunk
using Weights = Real[COLUMNS][UNITS];  // w_1 of this thread's pixels and this block's units

__device__ inline void load(Pixels& x, const Real* __restrict__ images, const int* rows) {
#pragma unroll
    for (int e = 0; e < CHUNK; e++) {
        const Real* image = images + static_cast<size_t>(rows[e]) * PIXELS;
#pragma unroll
        for (int j = 0; j < COLUMNS; j++) {
            const int pixel = threadIdx.x + j * THREADS;
            x[j][e] = pixel < PIXELS ? image[pixel] : Real(0);
        }
    }
}

// Compute this warp's part of w_1 a_0 for one chunk of examples.
__device__ inline void feed_forward(Shared& shared, const Weights& w, const Pixels& x, int first) {
    constexpr int COUNT = UNITS * CHUNK;
    Real z[COUNT] = {};
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int u = 0; u < UNITS; u++)
#pragma unroll
            for (int e = 0; e < CHUNK; e++) z[u * CHUNK + e] += w[j][u] * x[j][e];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    sum_over_warp<COUNT>(z, lane);
#pragma unroll
    for (int slot = 0; slot < slots(COUNT); slot++) {
        const int i = summed<COUNT>(lane, slot);
        if (i >= 0) shared.z1[warp][i / CHUNK][first + i % CHUNK] = z[slot];
    }
}

// w_1 -> w_1 - delta_1 a_0^T for one chunk of examples (BP4); delta includes eta/m.
__device__ inline void descend(const Shared& shared, Weights& w, const Pixels& x, int first) {
#pragma unroll
    for (int u = 0; u < UNITS; u++)
#pragma unroll
        for (int e = 0; e < CHUNK; e++) {
            const Real delta = shared.delta1[u][first + e];
#pragma unroll
            for (int j = 0; j < COLUMNS; j++) w[j][u] -= delta * x[j][e];
        }
}

__device__ inline void copy(Pixels& to, const Pixels& from) {
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int e = 0; e < CHUNK; e++) to[j][e] = from[j][e];
}

// images (n, PIXELS), labels (n): all examples; order (n): their order
// w1, b1, w2, b2: trained in place; board: see grid.cuh
__global__ void TOGETHER __launch_bounds__(THREADS, 1)
    epoch(const Real* __restrict__ images, const int* __restrict__ labels, const int* __restrict__ order, Real* w1, Real* b1, Real* w2,
          Real* b2, void* board, int n, int batch_size, Real eta) {
    Shared& shared = in_register(shared_memory<Shared>());
    const int t = threadIdx.x, own = blockIdx.x * UNITS;  // the first of this block's hidden units
    const int spare = THREADS - 1 - t;  // the thread's index from the last: small tasks use the last threads, larger ones the first
    const int steps = (n + batch_size - 1) / batch_size;

    Weights w;
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
            const int pixel = t + j * THREADS, unit = own + u;
            w[j][u] = pixel < PIXELS && unit < HIDDEN ? w1[static_cast<size_t>(unit) * PIXELS + pixel] : Real(0);
        }
    for (int i = t; i < OUTPUTS * UNITS; i += THREADS) {
        const int o = i / UNITS, u = i % UNITS;
        shared.w2[o][u] = own + u < HIDDEN ? w2[o * HIDDEN + own + u] : Real(0);
    }
    for (int u = t; u < UNITS; u += THREADS) shared.b1[u] = own + u < HIDDEN ? b1[own + u] : Real(0);
    for (int o = t; o < OUTPUTS; o += THREADS) shared.b2[o] = b2[o];

    // A load takes hundreds of cycles, so the kernel issues it long before it uses the value: the order two steps ahead, labels one step
    // ahead, a chunk of pixels during the work on the previous chunk. The compiler moves a load down to its first use, but not across a
    // wait for the other blocks. So the kernel loads labels and pixels just before that wait. tests/impls/test_kernels.py checks this in
    // the machine code.
    constexpr int ASKED = (EXAMPLES + THREADS - 1) / THREADS;
    int row[ASKED], label[ASKED];
    auto ask_rows = [&](int step) {
#pragma unroll
        for (int q = 0; q < ASKED; q++) row[q] = order[min(step * batch_size + spare + q * THREADS, n - 1)];
    };
    auto keep_rows = [&](int step) {
#pragma unroll
        for (int q = 0; q < ASKED; q++)
            if (spare + q * THREADS < EXAMPLES) shared.rows[step % 2][spare + q * THREADS] = row[q];
    };
    auto ask_labels = [&](int step) {
#pragma unroll
        for (int q = 0; q < ASKED; q++)
            if (spare + q * THREADS < EXAMPLES) label[q] = labels[shared.rows[step % 2][spare + q * THREADS]];
    };
    auto keep_labels = [&] {
#pragma unroll
        for (int q = 0; q < ASKED; q++)
            if (spare + q * THREADS < EXAMPLES) shared.labels[spare + q * THREADS] = label[q];
    };
    ask_rows(0);
    keep_rows(0);
    ask_rows(1);
    open(shared.mail, board);
    ask_labels(0);
    Pixels x, ahead;
    load(x, images, shared.rows[0]);

    Clocks clocks;
    for (int step = 0; step < steps; step++) {
        const int* rows = shared.rows[step % 2];
        const int* next_rows = shared.rows[(step + 1) % 2];
        const int m = min(batch_size, n - step * batch_size);
        const Real eta_over_m = eta / m;

#pragma unroll 1
        for (int chunk = 0; chunk < CHUNKS - 1; chunk++) {
            load(ahead, images, rows + (chunk + 1) * CHUNK);
            feed_forward(shared, w, x, chunk * CHUNK);
            copy(x, ahead);
        }
        feed_forward(shared, w, x, (CHUNKS - 1) * CHUNK);
        clocks.end(0);
        __syncthreads();
        clocks.end(1);

        keep_labels();
        keep_rows(step + 1);
        ask_rows(step + 2);
        for (int i = t; i < UNITS * EXAMPLES; i += THREADS) {
            const int u = i / EXAMPLES, e = i % EXAMPLES;
            Real z = shared.b1[u];
#pragma unroll
            for (int warp = 0; warp < WARPS; warp++) z += shared.z1[warp][u][e];
            shared.a1[u][e] = own + u < HIDDEN ? sigmoid(z) : Real(0);  // 0 for the padding of the last block
        }
        clocks.end(2);
        __syncthreads();
        clocks.end(3);

        // Send this block's part of w_2 a_1 to every block.
        expect(shared.mail, step);
        for (int i = t; i < ITEMS / QUAD * SENDERS; i += THREADS) {
            const int quad = i % (ITEMS / QUAD), sender = i / (ITEMS / QUAD);
            alignas(16) Real parts[QUAD];
#pragma unroll
            for (int k = 0; k < QUAD; k++) {
                const int o = (quad * QUAD + k) / EXAMPLES, e = (quad * QUAD + k) % EXAMPLES;
                Real z = 0;
                if (o < OUTPUTS)
#pragma unroll
                    for (int u = 0; u < UNITS; u++) z += shared.w2[o][u] * shared.a1[u][e];
                parts[k] = z;
            }
#pragma unroll
            for (int d = 0; d < DESTINATIONS; d += SENDERS) post(shared.mail, step, quad, sender + d, parts);
        }
        // The backward pass visits the chunks in reverse, because the last chunk is still in registers. The chunk after it loads while the
        // blocks wait for each other.
        clocks.end(4);
        ask_labels(step + 1);
        load(ahead, images, CHUNKS > 1 ? rows + (CHUNKS - 2) * CHUNK : next_rows);
        clocks.end(5);
        const auto& parts = receive(shared.mail, step);
        clocks.end(6);

        for (int i = t; i < OUTPUTS * EXAMPLES; i += THREADS) {
            const int o = i / EXAMPLES, e = i % EXAMPLES;
            Real z = shared.b2[o];
#pragma unroll
            for (int rank = 0; rank < BLOCKS; rank++) z += parts[rank][i];
            const Real a = sigmoid(z), y = shared.labels[e] == o;
            shared.delta2[o][e] = e < m ? eta_over_m * (a - y) * a * (1 - a) : Real(0);  // BP1, times eta/m
        }
        clocks.end(7);
        __syncthreads();
        clocks.end(8);
        for (int i = t; i < UNITS * EXAMPLES; i += THREADS) {
            const int u = i / EXAMPLES, e = i % EXAMPLES;
            const Real a = shared.a1[u][e];
            Real delta = 0;
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++) delta += shared.w2[o][u] * shared.delta2[o][e];
            shared.delta1[u][e] = delta * a * (1 - a);  // BP2
        }
        clocks.end(9);
        __syncthreads();
        clocks.end(10);

        // BP3 and BP4 for the parameters in shared memory, then for w_1
        for (int i = t; i < OUTPUTS * UNITS; i += THREADS) {
            const int o = i / UNITS, u = i % UNITS;
            Real nabla = 0;
            for (int e = 0; e < EXAMPLES; e++) nabla += shared.delta2[o][e] * shared.a1[u][e];
            shared.w2[o][u] -= nabla;
        }
        for (int i = spare; i < UNITS + OUTPUTS; i += THREADS) {
            const Real* delta = i < UNITS ? shared.delta1[i] : shared.delta2[i - UNITS];
            Real nabla = 0;
            for (int e = 0; e < EXAMPLES; e++) nabla += delta[e];
            (i < UNITS ? shared.b1[i] : shared.b2[i - UNITS]) -= nabla;
        }
        clocks.end(11);
        descend(shared, w, x, (CHUNKS - 1) * CHUNK);
        clocks.end(12);
        copy(x, ahead);
#pragma unroll 1
        for (int chunk = CHUNKS - 2; chunk >= 0; chunk--) {
            load(ahead, images, chunk > 0 ? rows + (chunk - 1) * CHUNK : next_rows);
            descend(shared, w, x, chunk * CHUNK);
            copy(x, ahead);
        }
        clocks.end(13);
    }

    close(shared.mail);
    clocks.store(board);
#pragma unroll
    for (int j = 0; j < COLUMNS; j++)
#pragma unroll
        for (int u = 0; u < UNITS; u++) {
            const int pixel = t + j * THREADS, unit = own + u;
            if (pixel < PIXELS && unit < HIDDEN) w1[static_cast<size_t>(unit) * PIXELS + pixel] = w[j][u];
        }
    for (int i = t; i < OUTPUTS * UNITS; i += THREADS) {
        const int o = i / UNITS, u = i % UNITS;
        if (own + u < HIDDEN) w2[o * HIDDEN + own + u] = shared.w2[o][u];
    }
    for (int u = t; u < UNITS; u += THREADS)
        if (own + u < HIDDEN) b1[own + u] = shared.b1[u];
    if (blockIdx.x == 0)
        for (int o = t; o < OUTPUTS; o += THREADS) b2[o] = shared.b2[o];
}
