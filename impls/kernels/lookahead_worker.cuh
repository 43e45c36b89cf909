// The workers. The first COMPUTING threads multiply, each for QUAD units and QUADS quads of pixels; the other threads add and load.
constexpr int COMPUTING = UNITS / QUAD * SIDE, ADDING = THREADS - COMPUTING;
static_assert(ADDING > 0, "a block has threads of both kinds");

using Weights = Real[QUADS][QUAD][QUAD];

__device__ inline int side() { return threadIdx.x % 32 / 2; }
__device__ inline int unit_quad() { return threadIdx.x / 32 * 2 + threadIdx.x % 2; }

__device__ inline Quad pixels(const Worker& mine, int k, int e, int q) {
    return reinterpret_cast<const Quad*>(mine.images[k % IMAGES][e])[side() + q * SIDE];
}

// Compute w x of mini-batch k for this thread's pixels and units. Read two images ahead of each store, because the compiler does not move
// a load above a store.
__device__ inline void feed_forward(Worker& mine, const Weights& w, int k) {
    wait(mine.loaded[k % IMAGES], k / IMAGES % 2);
    Quad x[EXAMPLES + 2][QUADS], z[EXAMPLES + 2];
#pragma unroll
    for (int e = 0; e < EXAMPLES + 2; e++) {
#pragma unroll
        for (int q = 0; q < QUADS; q++)
            if (e < EXAMPLES) x[e][q] = pixels(mine, k, e, q);
        if (e < 2) continue;
        z[e - 2] = {};
#pragma unroll
        for (int q = 0; q < QUADS; q++)
#pragma unroll
            for (int i = 0; i < QUAD; i++)
#pragma unroll
                for (int u = 0; u < QUAD; u++) z[e - 2].values[u] += w[q][i][u] * x[e - 2][q].values[i];
        mine.sums[k % 2][unit_quad()].lanes[side()][e - 2] = z[e - 2];
    }
}

// Sum z over this worker's pixels, and send it to the conductor. The adding threads call this. They can reuse an element of `part`,
// because the conductor has already sent a delta_1 that it computed from the previous message.
__device__ inline void send_part(Worker& mine, int k, int adder) {
#pragma unroll 1
    for (int quad = adder; quad < MESSAGE / QUAD; quad += ADDING) {
        const int e = quad % EXAMPLES, units = quad / EXAMPLES;  // adjacent threads read adjacent quads
        Quad sum = {};
#pragma unroll
        for (int side = 0; side < SIDE; side++) {
            const Quad z = mine.sums[k % 2][units].lanes[side][e];
#pragma unroll
            for (int u = 0; u < QUAD; u++) sum.values[u] += z.values[u];
        }
        reinterpret_cast<Quad*>(mine.part[k % DELTAS][e])[units] = sum;
    }
    meet_some(1, ADDING);
    if (adder > 0) return;
    Conductor& there = shared_memory<Conductor>();
    const int slot = k % (LEAD + 1);
    fence_bulk();
    send_bulk(there.parts[slot][blockIdx.x - 1], mine.part[k % DELTAS], MESSAGE * sizeof(Real), there.arrived[slot], 0);
}

// Wait for delta_1 of mini-batch k.
__device__ inline void receive_delta1(Worker& mine, int k) {
    if (threadIdx.x == 0) arrive(mine.arrived[k % DELTAS], MESSAGE * sizeof(Real));
    wait(mine.arrived[k % DELTAS], k / DELTAS % 2);
}

// w -> w - delta_1 x^T (BP4) for mini-batch k.
__device__ inline void descend(const Worker& mine, Weights& w, int k) {
    Quad x[EXAMPLES + 2][QUADS], delta[EXAMPLES + 2];
#pragma unroll
    for (int e = 0; e < EXAMPLES + 2; e++) {
        if (e < EXAMPLES) delta[e] = reinterpret_cast<const Quad*>(mine.delta1[k % DELTAS][e])[unit_quad()];
#pragma unroll
        for (int q = 0; q < QUADS; q++)
            if (e < EXAMPLES) x[e][q] = pixels(mine, k, e, q);
        if (e < 2) continue;
#pragma unroll
        for (int q = 0; q < QUADS; q++)
#pragma unroll
            for (int i = 0; i < QUAD; i++)
#pragma unroll
                for (int u = 0; u < QUAD; u++) w[q][i][u] -= delta[e - 2].values[u] * x[e - 2][q].values[i];
    }
}

// Start to copy this block's slice of the images of mini-batch k. Each of LOADING warps copies every LOADING-th image, because a warp
// starts its copies one after the other. `row` is the row of its first image. The function replaces it by that of mini-batch k + 1, to
// load it early.
constexpr int LOADING = ADDING / 32;

__device__ inline int row_of(const int* order, int k, int e, int n) { return order[min(k * EXAMPLES + e, n - 1)]; }

__device__ inline void ask_for_images(Worker& mine, const Real* images, const int* order, int k, int n, int loader, int& row) {
    const int first = (blockIdx.x - 1) * SLICE, quads = max(min(SLICE, INPUTS / QUAD - first), 0);
    Barrier& loaded = mine.loaded[k % IMAGES];
    if (threadIdx.x % 32 > 0) return;
    if (loader == 0) arrive(loaded, EXAMPLES * quads * sizeof(Quad));
#pragma unroll 1
    for (int e = loader; e < EXAMPLES; e += LOADING) {
        const Real* image = images + static_cast<size_t>(e == loader ? row : row_of(order, k, e, n)) * INPUTS;
        if (quads > 0) copy_bulk(mine.images[k % IMAGES][e], image + first * QUAD, quads * sizeof(Quad), loaded);
    }
    row = row_of(order, k + 1, loader, n);
}

__device__ inline void work(const Real* images, const int* order, const Record* records, Real* w1, Real* b1, int n) {
    Worker& mine = in_register(shared_memory<Worker>());
    const int t = threadIdx.x, warp = uniform(t / 32), steps = whole(n, EXAMPLES);
    const int first = (blockIdx.x - 1) * SLICE, unit = unit_quad() * QUAD;  // first quad of the block, first unit of the thread
    const int loader = warp - COMPUTING / 32;
    const bool computes = loader < 0;
    auto weight = [&](int q, int i, int u) -> Real* {  // null for padding, whose weight stays 0
        const int place = side() + q * SIDE, pixel = (first + place) * QUAD + i, own = unit + u;
        if (!computes || place >= SLICE || pixel > PIXELS || own >= HIDDEN) return nullptr;
        return pixel < PIXELS ? w1 + static_cast<size_t>(own) * PIXELS + pixel : b1 + own;
    };
    Weights w;
#pragma unroll
    for (int q = 0; q < QUADS; q++)
#pragma unroll
        for (int i = 0; i < QUAD; i++)
#pragma unroll
            for (int u = 0; u < QUAD; u++) w[q][i][u] = weight(q, i, u) ? *weight(q, i, u) : Real(0);
    zero(mine.images);
    if (t == 0) {
        for (auto& barrier : mine.arrived) initialise(barrier);
        for (auto& barrier : mine.loaded) initialise(barrier);
    }
    fence_bulk();
    meet();
    int row = row_of(order, 0, max(loader, 0), n);
    if (!computes)
        for (int k = 0; k < min(AHEAD, steps); k++) ask_for_images(mine, images, order, k, n, loader, row);

    Clocks clocks;
    for (int k = -LEAD; k < steps; k++) {  // forward pass of step k + LEAD, then update of step k
        if (computes && k + LEAD < steps) feed_forward(mine, w, k + LEAD);
        clocks.end(0);
        __syncthreads();
        clocks.end(1);
        if (computes && k >= 0) receive_delta1(mine, k);
        clocks.end(2);
        if (computes && k >= 0) descend(mine, w, k);
        if (!computes && k + LEAD < steps) send_part(mine, k + LEAD, t - COMPUTING);
        if (!computes && k + LEAD + AHEAD < steps) ask_for_images(mine, images, order, k + LEAD + AHEAD, n, loader, row);
        clocks.end(3);
    }

    clocks.store(records);

#pragma unroll
    for (int q = 0; q < QUADS; q++)
#pragma unroll
        for (int i = 0; i < QUAD; i++)
#pragma unroll
            for (int u = 0; u < QUAD; u++)
                if (weight(q, i, u)) *weight(q, i, u) = w[q][i][u];
}
