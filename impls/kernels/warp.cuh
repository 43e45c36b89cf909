// Sums over the 32 lanes of a warp, of several values at once.

// Lanes that differ in one bit share the work, half of the values each, five times: 31 shuffles for 32 values, where one by one it
// takes 160. Afterwards a lane holds few of the sums; `summed` says which. The order of every sum is fixed.
template <int COUNT, int BIT = 16>
__device__ inline void sum_over_warp(Real* values, int lane) {
    if constexpr (BIT > 0) {
        constexpr int HALF = (COUNT + 1) / 2;
        const bool upper = lane & BIT;
#pragma unroll
        for (int i = 0; i < HALF; i++) {
            const Real low = values[i], high = i + HALF < COUNT ? values[i + HALF] : Real(0);
            values[i] = (upper ? high : low) + __shfl_xor_sync(0xffffffff, upper ? low : high, BIT);
        }
        sum_over_warp<HALF, BIT / 2>(values, lane);
    }
}

// How many slots a lane is left with after sum_over_warp.
__device__ constexpr int slots(int count, int bits = 5) { return bits ? slots((count + 1) / 2, bits - 1) : count; }

// The index of the value whose sum this lane holds in this slot, or -1 if it holds none.
template <int COUNT, int BIT = 16>
__device__ inline int summed(int lane, int slot) {
    if constexpr (BIT > 0) {
        constexpr int HALF = (COUNT + 1) / 2;
        const int within = summed<HALF, BIT / 2>(lane, slot);
        const int index = within + (lane & BIT ? HALF : 0);
        return within < 0 || index >= COUNT ? -1 : index;
    } else {
        return slot < COUNT ? slot : -1;
    }
}
