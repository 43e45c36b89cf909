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
