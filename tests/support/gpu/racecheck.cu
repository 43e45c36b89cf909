// A test of racecheck itself: the barriers of the conductor in impls/kernels/lookahead.cu, without its arithmetic.
//
//     nvcc -arch=sm_90 -std=c++17 -lineinfo -o ring racecheck.cu && compute-sanitizer --tool racecheck ./ring
//
// The program has no race and prints "right". Some versions of racecheck report one, so their reports about the kernel mean nothing.
//     -DWHOLE    without the barrier of a part of the block: the report of racecheck from CUDA 13.0 and 13.1 disappears
//     -DPLAIN    with loads and stores in place of bulk copies and mbarriers: the report of racecheck from CUDA 13.5 disappears
//     -DMISSING  without every second barrier of the block, which is a race: it prints "WRONG", and every version must report it
//
// In step k the chain reads record k and writes delta k. A finisher asks for a copy of record k + 3, into the buffer of record k - 1. The
// starters wait for the copy of record k + 1, read it, and read delta k - 1 and delta k - 2.

#include <cstdio>
#include <vector>

using Barrier = unsigned long long;

constexpr int CHAIN = 4 * 32, FINISHERS = 5 * 32, STARTERS = 5 * 32, THREADS = CHAIN + FINISHERS + STARTERS;
constexpr int RING = 4, WORDS = 32, STEPS = 40, LAUNCHES = 10;

struct Shared {
    alignas(16) int records[RING][WORDS];
    int delta[RING][CHAIN];
    Barrier recorded[RING];
};

__device__ unsigned address(const void* shared) { return static_cast<unsigned>(__cvta_generic_to_shared(shared)); }

__device__ void initialise(Barrier& barrier) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(&barrier)) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ void ask(Shared& mine, const int* records, int k) {
    const int slot = k % RING;
#ifdef PLAIN
    for (int i = 0; i < WORDS; i++) mine.records[slot][i] = records[k * WORDS + i];
#else
    constexpr unsigned BYTES = sizeof(mine.records[0]);
    const unsigned recorded = address(&mine.recorded[slot]);
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(recorded), "r"(BYTES) : "memory");
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(address(mine.records[slot])),
                 "l"(__cvta_generic_to_global(records + k * WORDS)), "r"(BYTES), "r"(recorded)
                 : "memory");
#endif
}

__device__ void wait(Shared& mine, int k) {
#ifndef PLAIN
    asm volatile(
        "{\n"
        ".reg .pred complete;\n"
        "again_%=:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
        "@!complete bra again_%=;\n"
        "}" ::"r"(address(&mine.recorded[k % RING])),
        "r"(k / RING % 2)
        : "memory");
#endif
}

__device__ int begin(Shared& mine, int k, int starter) {
    wait(mine, k);
    int sum = mine.records[k % RING][starter % WORDS];
    for (int before = 2; before <= 3 && before <= k; before++) sum += mine.delta[(k - before) % RING][starter % CHAIN];
    return sum;
}

// records (STEPS, WORDS); sums (STARTERS): what each starter has read in all steps
__global__ void ring(const int* records, int* sums) {
    __shared__ Shared mine;
    const int t = threadIdx.x, finisher = t - CHAIN, starter = finisher - FINISHERS;
    const bool starts = starter >= 0, finishes = !starts && finisher >= 0;
    if (t == 0)
        for (auto& barrier : mine.recorded) initialise(barrier);
    __syncthreads();
    if (finisher == 0)
        for (int k = 0; k < RING - 1; k++) ask(mine, records, k);
#ifdef PLAIN
    __syncthreads();
#endif
    int sum = starts ? begin(mine, 0, starter) : 0;
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < STEPS; k++) {
        if (starts) {
            if (k + 1 < STEPS) sum += begin(mine, k + 1, starter);
        } else {
            if (finisher == 0 && k + RING - 1 < STEPS) ask(mine, records, k + RING - 1);
            const int label = finishes ? 0 : mine.records[k % RING][t / 32];
#ifndef WHOLE
            asm volatile("bar.sync 2, %0;" ::"n"(CHAIN + FINISHERS) : "memory");
#endif
            if (!finishes) mine.delta[k % RING][t] = label;
        }
#ifdef MISSING
        if (k % 2 == 1)
#endif
            __syncthreads();
    }
    if (starts) sums[starter] = sum;
}

int main() {
    std::vector<int> records(STEPS * WORDS), sums(STARTERS);
    for (int i = 0; i < STEPS * WORDS; i++) records[i] = i * 7 % 101;
    int *device_records, *device_sums;
    cudaMalloc(&device_records, sizeof(int) * records.size());
    cudaMalloc(&device_sums, sizeof(int) * sums.size());
    cudaMemcpy(device_records, records.data(), sizeof(int) * records.size(), cudaMemcpyDefault);
    bool right = true;
    for (int launch = 0; launch < LAUNCHES; launch++) {
        ring<<<1, THREADS>>>(device_records, device_sums);
        cudaMemcpy(sums.data(), device_sums, sizeof(int) * sums.size(), cudaMemcpyDefault);
        for (int starter = 0; starter < STARTERS; starter++) {
            int sum = 0;
            for (int k = 0; k < STEPS; k++) {
                sum += records[k * WORDS + starter % WORDS];
                for (int before = 2; before <= 3 && before <= k; before++) sum += records[(k - before) * WORDS + starter % CHAIN / 32];
            }
            right &= sum == sums[starter];
        }
    }
    const cudaError_t error = cudaGetLastError();
    printf("%s: %s\n", right ? "right" : "WRONG", cudaGetErrorString(error));
    return error != cudaSuccess || !right;
}
