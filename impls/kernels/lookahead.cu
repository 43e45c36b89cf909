// The kernel `epoch` trains a network with one hidden layer for a whole epoch. It begins most of a step's arithmetic LEAD steps early.
//
// Layer 1 computes z_k = w_k x_k for mini-batch k, whose images are the columns of x_k. A step changes the weights by
// w_{k+1} = w_k - delta_k x_k^T. Therefore
//     z_k = w_{k-LEAD} x_k - sum of delta_j (x_j^T x_k) over j = k-LEAD .. k-1.
// The first term is nearly all of the arithmetic, and its weights are known LEAD steps early. Each x_j^T x_k is a matrix of
// EXAMPLES x EXAMPLES that depends on the images and their order alone. The kernel `prepare` computes all of them before the first step.
//
// Block 0, the conductor, computes delta_k from z_k: only this work waits for the step before. Each other block, a worker, has a slice of
// the pixels and keeps their weights in registers. It sends its part of w_{k-LEAD} x_k to the conductor, and receives delta_k to change its
// weights. While the conductor is at step k, the workers are at the steps after it.
//
// A bias is the weight of an input, or of a unit, that is always 1: pixel PIXELS and hidden unit HIDDEN. More inputs and units fill up
// vectors and warps. They are 0, and so are their weights. Names are Nielsen's; eta/m is in delta. Every sum has one order, so the same
// arguments give the same bits.
//
// Compiled after hardware.cuh, clocks.cuh, sigmoid.cuh and warp.cuh. The host defines REAL, PIXELS, HIDDEN, OUTPUTS, EXAMPLES (of a
// mini-batch), BLOCKS (of the cluster), THREADS (of a block), LEAD, PAIR (examples of a warp) and SHARED_BYTES.

constexpr int whole(int count, int part) { return (count + part - 1) / part; }

constexpr int INPUTS = whole(PIXELS + 1, QUAD) * QUAD;  // of an image in device memory
constexpr int LINE = whole(EXAMPLES, QUAD) * QUAD;      // room for a number of each example
constexpr int UNITS = whole(HIDDEN, 2 * QUAD) * 2 * QUAD;           // hidden units that the workers compute
constexpr int ROUNDS = whole(HIDDEN + 1, 32), LANES = 32 * ROUNDS;  // hidden units, and the bias, by the lanes of a warp
constexpr int WORKERS = BLOCKS - 1;
constexpr int SLICE = whole(INPUTS / QUAD, WORKERS);  // quads of pixels of a worker
constexpr int SIDE = 16;                              // lanes of a warp along the pixels, each twice: neighbours read the same pixels
constexpr int QUADS = whole(SLICE, SIDE);             // of a thread
constexpr int MESSAGE = EXAMPLES * UNITS;             // numbers: a worker's part of z_1, or delta_1
constexpr int DELTAS = 4;                             // mini-batches whose delta_1 a block holds at once
constexpr int RECORDS = 4;                            // that the conductor holds at once
constexpr int AHEAD = 4;                              // steps between asking for an image and needing it
constexpr int IMAGES = LEAD + AHEAD + 1;              // mini-batches of images that a worker holds at once

// What the conductor must know of a mini-batch's data.
struct alignas(16) Record {
    Real gram[LEAD][EXAMPLES][LINE];  // [d - 1][e][i]: image e times image i of the mini-batch d steps before, with the 1s
    Real labels[LINE];
};

struct Conductor {
    alignas(16) Real parts[LEAD + 1][WORKERS][EXAMPLES][UNITS];  // w_{k-LEAD} x_k from every worker, in turn
    Record records[RECORDS];
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real delta2[EXAMPLES][whole(OUTPUTS, QUAD) * QUAD];
    Real early[EXAMPLES][UNITS];  // z_1 of the next step, without the correction for the current one
    Real a1[EXAMPLES][LANES], w2[OUTPUTS][LANES];
    Barrier arrived[LEAD + 1], recorded[RECORDS];
};

struct Worker {
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real images[IMAGES][EXAMPLES][QUADS * SIDE * QUAD];
    // The padding keeps what a quarter of a warp writes in different banks.
    struct {
        Quad lanes[SIDE][EXAMPLES / 2 * 2 + 1], padding[4];
    } sums[2][UNITS / QUAD];
    alignas(16) Real part[DELTAS][EXAMPLES][UNITS];  // their sums
    Barrier arrived[DELTAS], loaded[IMAGES];
};
static_assert(DELTAS > LEAD, "a message is read where it lies until the receiver has it");
static_assert(sizeof(Conductor) <= SHARED_BYTES && sizeof(Worker) <= SHARED_BYTES, "gpu_lookahead.py counts the shared memory wrong");

// Add up the products of every image of mini-batch k with every one of an earlier mini-batch, and write records[k], k the block. A warp
// takes ROWS images of the one and a mini-batch `before` steps earlier.
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

// The conductor. Its first CHAIN warps go from z_1 to delta_1, with PAIR examples each; the threads after those help.
constexpr int CHAIN = whole(EXAMPLES, PAIR), HELPERS = THREADS - 32 * CHAIN;

constexpr int AT_ONCE = 2;  // examples, or outputs, of a helper: they share what it reads

// Add up z_1 of step k without the last correction, as soon as all workers have sent their parts. By the helpers.
__device__ inline void begin_early(Conductor& mine, int k, int helper) {
    const int slot = k % (LEAD + 1);
    if (helper == 0) arrive(mine.arrived[slot], WORKERS * MESSAGE * sizeof(Real));
    wait(mine.arrived[slot], k / (LEAD + 1) % 2);
    wait(mine.recorded[k % RECORDS], k / RECORDS % 2);
    const Record& record = mine.records[k % RECORDS];
#pragma unroll 1
    for (int i = helper; i < whole(EXAMPLES, AT_ONCE) * UNITS; i += HELPERS) {
        const int u = i % UNITS, first = i / UNITS * AT_ONCE;
        Real z[AT_ONCE] = {}, late[AT_ONCE] = {};
#pragma unroll
        for (int p = 0; p < AT_ONCE; p++)
#pragma unroll
            for (int worker = 0; worker < WORKERS; worker++) z[p] += mine.parts[slot][worker][min(first + p, EXAMPLES - 1)][u];
#pragma unroll
        for (int before = 2; before <= LEAD; before++) {
            if (before > k) break;
#pragma unroll
            for (int e = 0; e < EXAMPLES; e++) {
                const Real delta = mine.delta1[(k - before) % DELTAS][e][u];
#pragma unroll
                for (int p = 0; p < AT_ONCE; p++) late[p] += delta * record.gram[before - 1][min(first + p, EXAMPLES - 1)][e];
            }
        }
#pragma unroll
        for (int p = 0; p < AT_ONCE; p++)
            if (first + p < EXAMPLES) mine.early[first + p][u] = z[p] - late[p];
    }
}

// Send delta_1 of step k to every worker, in one message each: as many stores of 16 bytes would cost the receiver a transaction each. By
// the last of the helpers' warps, which have nothing to add up.
__device__ inline void send_delta1(Conductor& mine, int k, int helper) {
    constexpr int WARPS = HELPERS / 32, EARLY = whole(whole(EXAMPLES, AT_ONCE) * UNITS, 32), SENDERS = WARPS > EARLY ? WARPS - EARLY : 1;
    if (helper % 32 > 0 || helper / 32 < WARPS - SENDERS) return;
    Worker& there = shared_memory<Worker>();
    fence_bulk();
#pragma unroll 1
    for (int worker = helper / 32 - (WARPS - SENDERS); worker < WORKERS; worker += SENDERS)
        send_bulk(there.delta1[k % DELTAS], mine.delta1[k % DELTAS], MESSAGE * sizeof(Real), there.arrived[k % DELTAS], 1 + worker);
}

// w_2 -> w_2 - delta_2 a_1^T (BP4). By the helpers.
__device__ inline void descend_w2(Conductor& mine, int helper) {
#pragma unroll 1
    for (int i = helper; i < whole(OUTPUTS, AT_ONCE) * LANES; i += HELPERS) {
        const int u = i % LANES, first = i / LANES * AT_ONCE;
        Real nabla[AT_ONCE] = {};
#pragma unroll
        for (int e = 0; e < EXAMPLES; e++) {
            const Real a = mine.a1[e][u];
#pragma unroll
            for (int p = 0; p < AT_ONCE; p++) nabla[p] += mine.delta2[e][first + p] * a;
        }
#pragma unroll
        for (int p = 0; p < AT_ONCE; p++)
            if (first + p < OUTPUTS) mine.w2[first + p][u] -= nabla[p];
    }
}

// By one thread.
__device__ inline void ask_for_record(Conductor& mine, const Record* records, int k) {
    arrive(mine.recorded[k % RECORDS], sizeof(Record));
    copy_bulk(&mine.records[k % RECORDS], records + k, sizeof(Record), mine.recorded[k % RECORDS]);
}

__device__ inline void conduct(const Record* records, Real* w2, Real* b2, int n, Real rate, Real last_rate) {
    Conductor& mine = shared_memory<Conductor>();
    const int t = threadIdx.x, lane = t % 32, warp = uniform(t / 32), helper = t - 32 * CHAIN, steps = whole(n, EXAMPLES);
    const bool helps = warp >= CHAIN;
#pragma unroll 1
    for (int i = t; i < OUTPUTS * LANES; i += THREADS) {
        const int o = i / LANES, u = i % LANES;
        mine.w2[o][u] = u < HIDDEN ? w2[o * HIDDEN + u] : u == HIDDEN ? b2[o] : Real(0);
    }
#pragma unroll 1
    for (int i = t; i < sizeof(mine.delta2) / sizeof(Quad); i += THREADS) reinterpret_cast<Quad*>(mine.delta2)[i] = {};
    if (t == 0) {
        for (auto& barrier : mine.arrived) initialise(barrier);
        for (auto& barrier : mine.recorded) initialise(barrier);
    }
    meet();
    if (helper == HELPERS - 32)
        for (int k = 0; k < min(RECORDS - 1, steps); k++) ask_for_record(mine, records, k);
    if (helps) begin_early(mine, 0, helper);
    __syncthreads();

    // Of the sums over the warp, which are in this lane: of which of its examples, and which output
    constexpr int SUMS = PAIR * OUTPUTS;
    int place[slots(SUMS)], mate[slots(SUMS)];
#pragma unroll
    for (int slot = 0; slot < slots(SUMS); slot++) {
        const int i = summed<SUMS>(lane, slot);
        place[slot] = i < 0 ? -1 : i % OUTPUTS, mate[slot] = warp * PAIR + max(i, 0) / OUTPUTS;
        if (mate[slot] >= EXAMPLES) place[slot] = -1;
    }
    const int last = n - (steps - 1) * EXAMPLES;  // examples of the last mini-batch

    Clocks clocks;
    for (int k = 0; k <= steps; k++) {
        // Up to a_1. Beside it the step before is finished.
        Real a[PAIR][ROUNDS], label[slots(SUMS)];
        if (helps) {
            if (k > 0) descend_w2(mine, helper);
            if (helper == HELPERS - 32 && k + RECORDS - 1 < steps) ask_for_record(mine, records, k + RECORDS - 1);
        } else if (k < steps) {
            const Record& record = mine.records[k % RECORDS];
#pragma unroll
            for (int slot = 0; slot < slots(SUMS); slot++) label[slot] = record.labels[min(mate[slot], EXAMPLES - 1)];
#pragma unroll
            for (int round = 0; round < ROUNDS; round++) {
                const int u = lane + 32 * round;
                Real z[PAIR] = {};
                if (u < UNITS) {
#pragma unroll
                    for (int p = 0; p < PAIR; p++) z[p] = mine.early[min(warp * PAIR + p, EXAMPLES - 1)][u];
                    if (k > 0)
#pragma unroll
                        for (int e = 0; e < EXAMPLES; e++) {
                            const Real delta = mine.delta1[(k - 1) % DELTAS][e][u];
#pragma unroll
                            for (int p = 0; p < PAIR; p++) z[p] -= delta * record.gram[0][min(warp * PAIR + p, EXAMPLES - 1)][e];
                        }
                }
#pragma unroll
                for (int p = 0; p < PAIR; p++) {
                    a[p][round] = sigmoid(z[p]);  // by all, so that there is no branch
                    if (u >= HIDDEN) a[p][round] = u == HIDDEN;
                }
            }
        }
        clocks.end(0);
        __syncthreads();
        clocks.end(1);

        // Through the outputs and back to delta_1. Beside it the next step is begun.
        if (helps) {
            if (k > 0) send_delta1(mine, k - 1, helper);
            if (k + 1 < steps) begin_early(mine, k + 1, helper);
        } else if (k < steps) {
            Real w[ROUNDS][OUTPUTS], z[SUMS] = {};
#pragma unroll
            for (int round = 0; round < ROUNDS; round++)
#pragma unroll
                for (int o = 0; o < OUTPUTS; o++) {
                    w[round][o] = mine.w2[o][lane + 32 * round];
#pragma unroll
                    for (int p = 0; p < PAIR; p++) z[p * OUTPUTS + o] += w[round][o] * a[p][round];
                }
            sum_over_warp<SUMS>(z, lane);
            const Real eta_over_m = k < steps - 1 ? rate : last_rate;
#pragma unroll
            for (int slot = 0; slot < slots(SUMS); slot++) {
                const Real out = sigmoid(z[slot]), y = label[slot] == place[slot];
                const bool live = k < steps - 1 || mate[slot] < last;
                // BP1
                if (place[slot] >= 0) mine.delta2[mate[slot]][place[slot]] = live ? eta_over_m * (out - y) * out * (1 - out) : Real(0);
            }
            __syncwarp();
            Real delta[PAIR][ROUNDS] = {};
#pragma unroll
            for (int o = 0; o < OUTPUTS; o++)
#pragma unroll
                for (int p = 0; p < PAIR; p++)
#pragma unroll
                    for (int round = 0; round < ROUNDS; round++)
                        delta[p][round] += w[round][o] * mine.delta2[min(warp * PAIR + p, EXAMPLES - 1)][o];
#pragma unroll
            for (int p = 0; p < PAIR; p++)
#pragma unroll
                for (int round = 0; round < ROUNDS; round++) {
                    const int example = warp * PAIR + p, u = lane + 32 * round;
                    const Real slope = a[p][round] * (1 - a[p][round]);  // 0 where there is no unit
                    if (example >= EXAMPLES) continue;
                    if (u < UNITS) mine.delta1[k % DELTAS][example][u] = delta[p][round] * slope;  // BP2
                    mine.a1[example][u] = a[p][round];
                }
        }
        clocks.end(2);
        __syncthreads();
        clocks.end(3);
    }

    clocks.store(records);
#pragma unroll 1
    for (int i = t; i < OUTPUTS * LANES; i += THREADS) {
        const int o = i / LANES, u = i % LANES;
        if (u < HIDDEN) w2[o * HIDDEN + u] = mine.w2[o][u];
        if (u == HIDDEN) b2[o] = mine.w2[o][u];
    }
}

// The workers. Their first COMPUTING threads compute, for QUAD units and QUADS quads of pixels each; those after them add up and load.
constexpr int COMPUTING = UNITS / QUAD * SIDE, ADDING = THREADS - COMPUTING;
static_assert(HELPERS > 0 && ADDING > 0, "a block has threads of both kinds");

using Weights = Real[QUADS][QUAD][QUAD];

__device__ inline int side() { return threadIdx.x % 32 / 2; }
__device__ inline int unit_quad() { return threadIdx.x / 32 * 2 + threadIdx.x % 2; }

__device__ inline Quad pixels(const Worker& mine, int k, int e, int q) {
    return reinterpret_cast<const Quad*>(mine.images[k % IMAGES][e])[side() + q * SIDE];
}

// Compute w x of mini-batch k for this thread's pixels and units. Two images are read ahead of each store, because the compiler moves no
// load up across a store.
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

// Add up z over this worker's pixels, and send it to the conductor. By the threads that add. When they write to a place of `part` again,
// the conductor has already sent a delta_1 that it computed from the message before.
__device__ inline void send_part(Worker& mine, int k, int adder) {
#pragma unroll 1
    for (int quad = adder; quad < MESSAGE / QUAD; quad += ADDING) {
        const int e = quad % EXAMPLES, units = quad / EXAMPLES;  // neighbours read neighbours
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

// Begin to copy this block's slice of the images of mini-batch k. Each of LOADING warps copies every LOADING-th image, because a warp
// begins its copies one after the other. `row` is the row of its first image. It is replaced by that of mini-batch k + 1, which is then
// read early.
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
    Worker& mine = shared_memory<Worker>();
    const int t = threadIdx.x, warp = uniform(t / 32), steps = whole(n, EXAMPLES);
    const int first = (blockIdx.x - 1) * SLICE, unit = unit_quad() * QUAD;  // the block's first quad, the thread's first unit
    const int loader = warp - COMPUTING / 32;
    const bool computes = loader < 0;
    auto weight = [&](int q, int i, int u) -> Real* {  // null: it is 0 and stays so
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
#pragma unroll 1
    for (int i = t; i < sizeof(mine.images) / sizeof(Quad); i += THREADS) reinterpret_cast<Quad*>(mine.images)[i] = {};
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
    for (int k = -LEAD; k < steps; k++) {  // forward for step k + LEAD, then down for step k
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

// images (n, INPUTS), 1 at PIXELS and 0 after it; order (n): in which order the examples are taken; records (steps)
// w1 (HIDDEN, PIXELS), b1 (HIDDEN), w2 (OUTPUTS, HIDDEN), b2 (OUTPUTS): trained in place
// rate, last_rate: eta/m of all mini-batches but the last, and of the last
__global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 1)
    epoch(const Real* __restrict__ images, const int* __restrict__ order, const Record* __restrict__ records, Real* w1, Real* b1, Real* w2,
          Real* b2, int n, Real rate, Real last_rate) {
    if (blockIdx.x == 0)
        conduct(records, w2, b2, n, rate, last_rate);
    else
        work(images, order, records, w1, b1, n);
    // No barrier at the end: a block has received every message to it before it returns.
}
