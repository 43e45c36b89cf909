// The conductor. Each of its first EXAMPLES warps computes delta_1 of one example from z_1: the chain, which the other warps must not delay.
// During step k the finishers finish step k - 1, and the starters start step k + 1.
constexpr int STARTERS = (THREADS / 32 - EXAMPLES) / 2 * 32, FINISHERS = THREADS - 32 * EXAMPLES - STARTERS;
static_assert(STARTERS > 0 && FINISHERS > 0, "the conductor has warps of each kind");

// Return the number of examples, or outputs, that a thread computes at once from the same reads, at most 4. `warps` is
// the number of warps that the work needs with one at once. With the result, `threads` threads finish in one iteration, unless 4 is too few.
constexpr int at_once(int warps, int threads) {
    const int each = whole(warps, threads / 32);
    return each < 4 ? each : 4;
}

// Compute z_1 of step k without the last correction, as soon as all workers have sent their parts. The starters call this.
__device__ inline void begin_early(Conductor& mine, int k, int starter) {
    constexpr int AT_ONCE = at_once(whole(EXAMPLES * UNITS, 32), STARTERS);
    const int slot = k % (LEAD + 1);
    if (starter == 0) arrive(mine.arrived[slot], WORKERS * MESSAGE * sizeof(Real));
    wait(mine.arrived[slot], k / (LEAD + 1) % 2);
    wait(mine.recorded[k % RECORDS], k / RECORDS % 2);
    const Record& record = mine.records[k % RECORDS];
#pragma unroll 1
    for (int i = starter; i < whole(EXAMPLES, AT_ONCE) * UNITS; i += STARTERS) {
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
                const Real delta = mine.delta1[(k + DELTAS - before) % DELTAS][e][u];
#pragma unroll
                for (int p = 0; p < AT_ONCE; p++) late[p] += delta * record.gram[before - 1][min(first + p, EXAMPLES - 1)][e];
            }
        }
#pragma unroll
        for (int p = 0; p < AT_ONCE; p++)
            if (first + p < EXAMPLES) mine.early[k % 2][first + p][u] = z[p] - late[p];
    }
}

// Send delta_1 of step k to every worker, with one bulk copy each. The finishers call this.
__device__ inline void send_delta1(Conductor& mine, int k, int finisher) {
    if (finisher % 32 > 0) return;
    Worker& there = shared_memory<Worker>();
    fence_bulk();
#pragma unroll 1
    for (int worker = finisher / 32; worker < WORKERS; worker += FINISHERS / 32)
        send_bulk(there.delta1[k % DELTAS], mine.delta1[k % DELTAS], MESSAGE * sizeof(Real), there.arrived[k % DELTAS], 1 + worker);
}

// w_2 -> w_2 - delta_2 a_1^T (BP4). The finishers call this.
__device__ inline void descend_w2(Conductor& mine, int finisher) {
    constexpr int AT_ONCE = at_once(OUTPUTS * ROUNDS, FINISHERS);
#pragma unroll 1
    for (int i = finisher; i < whole(OUTPUTS, AT_ONCE) * LANES; i += FINISHERS) {
        const int u = i % LANES, first = i / LANES * AT_ONCE;
        Real nabla[AT_ONCE] = {};
#pragma unroll
        for (int e = 0; e < EXAMPLES; e++) {
            const Real a = mine.a1[e][u];
#pragma unroll
            for (int p = 0; p < AT_ONCE; p++) nabla[p] += mine.delta2_by_output[min(first + p, OUTPUTS - 1)][e] * a;
        }
#pragma unroll
        for (int p = 0; p < AT_ONCE; p++)
            if (first + p < OUTPUTS) mine.w2[first + p][u] -= nabla[p];
    }
}

// Compute a_1 of this warp's example in step k; a lane has every 32nd unit. The chain calls this.
__device__ inline void activate(const Conductor& mine, int k, int example, int lane, Real (&a)[ROUNDS]) {
#pragma unroll
    for (int round = 0; round < ROUNDS; round++) {
        const int u = lane + 32 * round;
        Real z[2] = {};  // two sums, each in half the time
        if (u < UNITS) {
            z[0] = mine.early[k % 2][example][u];
            if (k > 0)
#pragma unroll
                for (int e = 0; e < EXAMPLES; e++)
                    z[e % 2] -= mine.delta1[(k + DELTAS - 1) % DELTAS][e][u] * mine.records[k % RECORDS].gram[0][example][e];
        }
        a[round] = sigmoid(z[0] + z[1]);  // in all lanes, to avoid a branch
        if (u >= HIDDEN) a[round] = u == HIDDEN;
    }
}

// Compute delta_2 and delta_1 of this warp's example in step k. The chain calls this.
// label: of the example; eta_over_m: 0 for an example that does not count; outputs: those that this lane finishes, -1 for none
__device__ inline void backpropagate(Conductor& mine, int k, int example, int lane, const Real (&a)[ROUNDS], Real label, Real eta_over_m,
                                     const int (&outputs)[slots(OUTPUTS)]) {
    Real w[ROUNDS][OUTPUTS], z[OUTPUTS] = {};
#pragma unroll
    for (int round = 0; round < ROUNDS; round++)
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) {
            w[round][o] = mine.w2[o][lane + 32 * round];
            z[o] += w[round][o] * a[round];
        }
    sum_over_warp<OUTPUTS>(z, lane);
#pragma unroll
    for (int slot = 0; slot < slots(OUTPUTS); slot++) {
        const int o = outputs[slot];
        const Real out = sigmoid(z[slot]), y = label == o;
        const Real delta = eta_over_m * (out - y) * out * (1 - out);  // BP1
        if (o >= 0) mine.delta2[example][o] = mine.delta2_by_output[o][example] = delta;
    }
    __syncwarp();
#pragma unroll
    for (int round = 0; round < ROUNDS; round++) {
        const int u = lane + 32 * round;
        Real sum[2] = {};
#pragma unroll
        for (int o = 0; o < OUTPUTS; o++) sum[o % 2] += w[round][o] * mine.delta2[example][o];
        const Real delta = (sum[0] + sum[1]) * a[round] * (1 - a[round]);  // BP2; 0 in the padding
        if (u < UNITS) mine.delta1[k % DELTAS][example][u] = delta;
        mine.a1[example][u] = a[round];
    }
}

// Start to copy the record of step k. One thread calls this.
__device__ inline void ask_for_record(Conductor& mine, const Record* records, int k) {
    arrive(mine.recorded[k % RECORDS], sizeof(Record));
    copy_bulk(&mine.records[k % RECORDS], records + k, sizeof(Record), mine.recorded[k % RECORDS]);
}

__device__ inline void conduct(const Record* records, Real* w2, Real* b2, int n, Real rate, Real last_rate) {
    Conductor& mine = in_register(shared_memory<Conductor>());
    const int t = threadIdx.x, lane = t % 32, warp = uniform(t / 32), steps = whole(n, EXAMPLES);
    const int finisher = t - 32 * EXAMPLES, starter = finisher - FINISHERS;
    const bool finishes = warp >= EXAMPLES, starts = warp >= EXAMPLES + FINISHERS / 32;
#pragma unroll 1
    for (int i = t; i < OUTPUTS * LANES; i += THREADS) {
        const int o = i / LANES, u = i % LANES;
        mine.w2[o][u] = u < HIDDEN ? w2[o * HIDDEN + u] : u == HIDDEN ? b2[o] : Real(0);
    }
    if (t == 0) {
        for (auto& barrier : mine.arrived) initialise(barrier);
        for (auto& barrier : mine.recorded) initialise(barrier);
    }
    meet();
    if (finisher == 0)
        for (int k = 0; k < min(RECORDS - 1, steps); k++) ask_for_record(mine, records, k);
    if (starts) begin_early(mine, 0, starter);
    __syncthreads();

    int outputs[slots(OUTPUTS)];  // that this lane finishes for its warp's example; -1 for none
#pragma unroll
    for (int slot = 0; slot < slots(OUTPUTS); slot++) outputs[slot] = summed<OUTPUTS>(lane, slot);
    const int last = n - (steps - 1) * EXAMPLES;  // examples of the last mini-batch

    Clocks clocks;
    for (int k = 0; k <= steps; k++) {
        if (starts) {
            if (k + 1 < steps) begin_early(mine, k + 1, starter);
            clocks.end(0), clocks.end(1), clocks.end(2);
        } else {
            Real a[ROUNDS], label, eta_over_m;
            if (finishes) {
                if (k > 0) descend_w2(mine, finisher);
                if (finisher == 0 && k + RECORDS - 1 < steps) ask_for_record(mine, records, k + RECORDS - 1);
            } else if (k < steps) {
                label = mine.records[k % RECORDS].labels[warp];
                eta_over_m = k < steps - 1 ? rate : warp < last ? last_rate : Real(0);
                activate(mine, k, warp, lane, a);
            }
            clocks.end(0);
            meet_some(2, THREADS - STARTERS);
            clocks.end(1);
            if (finishes) {
                if (k > 0) send_delta1(mine, k - 1, finisher);
            } else if (k < steps) {
                backpropagate(mine, k, warp, lane, a, label, eta_over_m, outputs);
            }
            clocks.end(2);
        }
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
