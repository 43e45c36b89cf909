// How many clock cycles each warp spends in each stage of a step. Only for tests/support/gpu/stage_clocks.py, which defines STAGES, how
// many there are, and CLOCKS_AT, where the counts go: so many words behind `board`, unsigned [blocks][warps][STAGES]. Else it is nothing.

struct Clocks {
#ifdef CLOCKS_AT
    unsigned spent[STAGES] = {}, last = cycle(0);

    // Here ends a stage, and begins what ends at the next call.
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
