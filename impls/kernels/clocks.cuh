// Clock cycles that each warp spends in each stage of a step, for bench/anatomy/stage_clocks.py. That module defines STAGES, the
// number of stages, and CLOCKS_AT, the offset in words of the counts in `board`: unsigned [blocks][warps][STAGES]. Without CLOCKS_AT
// these functions do nothing.

struct Clocks {
#ifdef CLOCKS_AT
    unsigned spent[STAGES] = {}, last = cycle(0);

    // End a stage. The next stage begins here.
    __device__ void end(int stage) {
        const unsigned now = cycle(last);
        spent[stage] += now - last, last = now;
    }
    __device__ void store(const void* board) const {
        if (threadIdx.x % 32 > 0) return;
        const int warps = THREADS / 32, warp = blockIdx.x * warps + threadIdx.x / 32;
#pragma unroll
        for (int k = 0; k < STAGES; k++) static_cast<unsigned*>(const_cast<void*>(board))[CLOCKS_AT + warp * STAGES + k] = spent[k];
    }
#else
    __device__ void end(int) {}
    __device__ void store(const void*) const {}
#endif
};
