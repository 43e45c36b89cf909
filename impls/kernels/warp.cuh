// Sums over the 32 lanes of a warp, of several values at once.

// Lanes that differ in one bit exchange halves of their values, five times: 31 shuffles for 32 values, instead of 160 for one value at a
// time. Afterwards a lane holds a few of the sums; `summed` returns their indices. The order of every sum is fixed.
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

// Return the number of slots of a lane after sum_over_warp.
__device__ constexpr int slots(int count, int bits = 5) { return bits ? slots((count + 1) / 2, bits - 1) : count; }

// Return the index of the value whose sum is in this slot of this lane, or -1 if the slot is empty.
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
