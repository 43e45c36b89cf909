// A test of racecheck itself: the barriers of the conductor in impls/kernels/lookahead.cu, without its arithmetic.
//
//     nvcc -arch=sm_90 -std=c++17 -lineinfo -o ring racecheck.cu && compute-sanitizer --tool racecheck ./ring
//
// The program has no race and prints "right". Some versions of racecheck report one, so their reports about the kernel mean nothing.
//     -DWHOLE    without the barrier of a part of the block: the report of racecheck from CUDA 13.0 disappears
//     -DPLAIN    with loads and stores in place of bulk copies and mbarriers: the report of racecheck from CUDA 13.5 disappears
//     -DMISSING  without every second barrier of the block, which is a race: it prints "WRONG", and every version must report it
//
// In step k the chain reads record k and writes delta k. A finisher asks for a copy of record k + 3, into the buffer of record k - 1. The
// starters wait for the copy of record k + 1, read it, and read delta k - 1 and delta k - 2.

#include <cstdio>
#include <vector>

#define REAL float
#include "../../../impls/kernels/hardware.cuh"

constexpr int CHAIN = 4 * 32, FINISHERS = 5 * 32, STARTERS = 5 * 32, THREADS = CHAIN + FINISHERS + STARTERS;
constexpr int RING = 4, WORDS = 32, STEPS = 40, LAUNCHES = 10;

struct Shared {
    alignas(16) int records[RING][WORDS];
    int delta[RING][CHAIN];
    Barrier recorded[RING];
};

__device__ void ask(Shared& mine, const int* records, int k) {
#ifdef PLAIN
    for (int i = 0; i < WORDS; i++) mine.records[k % RING][i] = records[k * WORDS + i];
#else
    arrive(mine.recorded[k % RING], sizeof(mine.records[0]));
    copy_bulk(mine.records[k % RING], records + k * WORDS, sizeof(mine.records[0]), mine.recorded[k % RING]);
#endif
}

__device__ int begin(Shared& mine, int k, int starter) {
#ifndef PLAIN
    wait(mine.recorded[k % RING], k / RING % 2);
#endif
    int sum = mine.records[k % RING][starter % WORDS];
    for (int before = 2; before <= 3 && before <= k; before++) sum += mine.delta[(k + RING - before) % RING][starter % CHAIN];
    return sum;
}

// records (steps, WORDS); sums (STARTERS): what each starter has read in all steps
__global__ void ring(const int* records, int* sums, int steps) {
    __shared__ Shared mine;
    const int t = threadIdx.x, warp = __shfl_sync(0xffffffff, t / 32, 0), finisher = t - CHAIN, starter = t - CHAIN - FINISHERS;
    const bool starts = warp >= (CHAIN + FINISHERS) / 32, finishes = !starts && warp >= CHAIN / 32;
    if (blockIdx.x == 0 && t == 0)
        for (auto& barrier : mine.recorded) initialise(barrier);
    meet();
    if (blockIdx.x > 0) return;
    if (finisher == 0)
        for (int k = 0; k < RING - 1 && k < steps; k++) ask(mine, records, k);
#ifdef PLAIN
    __syncthreads();
#endif
    int sum = 0;
    if (starts) sum += begin(mine, 0, starter);
    __syncthreads();
#pragma unroll 1
    for (int k = 0; k < steps; k++) {
        if (starts) {
            if (k + 1 < steps) sum += begin(mine, k + 1, starter);
        } else {
            int label = 0;
            if (!finishes)
                label = mine.records[k % RING][warp];
            else if (finisher == 0 && k + RING - 1 < steps)
                ask(mine, records, k + RING - 1);
#ifndef WHOLE
            meet_some(2, CHAIN + FINISHERS);
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

    cudaLaunchAttribute cluster = {};
    cluster.id = cudaLaunchAttributeClusterDimension, cluster.val.clusterDim = {2, 1, 1};
    cudaLaunchConfig_t config = {};
    config.gridDim = 2, config.blockDim = THREADS, config.attrs = &cluster, config.numAttrs = 1;
    bool right = true;
    for (int launch = 0; launch < LAUNCHES; launch++) {
        cudaLaunchKernelEx(&config, ring, static_cast<const int*>(device_records), device_sums, STEPS);
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
    printf("%s: %s\n", right ? "right" : "WRONG", cudaGetErrorString(cudaGetLastError()));
}
