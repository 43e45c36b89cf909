// The type of all arithmetic, and what the kernels ask of the hardware in its own language: a CPU can play the rest as it stands (the
// tests put tests/support/simt.h in this file's place and do).

using Real = REAL;

constexpr int QUAD = 16 / sizeof(Real);  // Reals in the 16 bytes that are sent at once

// 1/x for x of 1 and more: without the detour that division takes for the smallest and largest numbers, and as exact to 2 units in the
// last place.
__device__ inline float reciprocal(float x) { return __fdividef(1.0f, x); }
__device__ inline double reciprocal(double x) { return 1.0 / x; }

// A value that is the same in all lanes of a warp, so that the compiler knows it: a branch on it does not divide the warp.
__device__ inline int uniform(int value) { return __shfl_sync(0xffffffff, value, 0); }

// Wait until `threads` threads of the block are here, a multiple of 32; `number` from 1 to 15 tells such barriers apart.
__device__ inline void meet_some(int number, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory"); }

// The lanes of the warp are together again after a loop: the compiler, which may not know it, else makes two forms of each shuffle.
__device__ inline void reconverge() { __syncwarp(); }

struct alignas(16) Quad {  // read and written at once
    Real values[QUAD];
};

// The block's shared memory, whose size the launch gives, as one structure.
template <class Layout>
__device__ Layout& shared_memory() {
    extern __shared__ __align__(16) unsigned char bytes[];
    return *reinterpret_cast<Layout*>(bytes);
}

__device__ inline unsigned address(const void* shared) { return static_cast<unsigned>(__cvta_generic_to_shared(shared)); }

// The multiprocessor's clock, read when this thread has passed the barriers and waits before: a read of shared memory comes after them.
// `last` is an earlier reading.
__device__ inline unsigned cycle(unsigned last) {
    asm volatile(
        "{\n"
        ".reg .u32 word;\n"
        ".reg .pred never;\n"
        "ld.volatile.shared.u32 word, [%1];\n"
        "setp.eq.u32 never, word, 0x7fffdead;\n"
        "@!never mov.u32 %0, %%clock;\n"
        "}"
        : "+r"(last)
        : "r"(address(&shared_memory<unsigned>()))
        : "memory");
    return last;
}

// Begin to copy COUNT Reals, 1 or QUAD, from device memory to shared memory; unless they exist, read nothing and write zeros.
// Before 8.0 the copy is made at once.
template <int COUNT>
__device__ inline void copy_async(Real* to, const Real* from, bool exists) {
#if __CUDA_ARCH__ >= 800
    constexpr int BYTES = COUNT * sizeof(Real);
    if constexpr (BYTES == 16)
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address(to)), "l"(from), "r"(exists ? 16 : 0) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address(to)), "l"(from), "n"(BYTES), "r"(exists ? BYTES : 0)
                     : "memory");
#else
    if constexpr (COUNT == QUAD)
        *reinterpret_cast<Quad*>(to) = exists ? *reinterpret_cast<const Quad*>(from) : Quad{};
    else
        *to = exists ? *from : Real(0);
#endif
}

// End a batch of this thread's copies.
__device__ inline void commit_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait for this thread's copies, except for those of its last LEFT batches.
template <int LEFT>
__device__ inline void wait_copies() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
#endif
}

// Below: programmatic dependent launch, compute capability 9.0 and later. A kernel launched so may begin while the one before it in the
// stream is still running, from when every block of that has called launch_dependents. Before 9.0 kernels run one after the other.

__device__ inline void launch_dependents() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Wait until the kernel before this one has ended and all that it wrote is visible.
__device__ inline void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Below: clusters of blocks that write into each other's shared memory, compute capability 9.0 and later.

using Barrier = unsigned long long;  // an mbarrier, in shared memory: its phase ends when all arrivals and all bytes expected are in

// The address, in another block's shared memory, of what lies here in one's own.
__device__ inline unsigned address(const void* shared, int rank) {
    unsigned there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address(shared)), "r"(rank));
    return there;
}

// Wait until every thread of the cluster is here.
__device__ inline void meet() { asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory"); }

// Make a barrier of one arrival a phase. By one thread, before the cluster meets.
__device__ inline void initialise(Barrier& barrier) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(&barrier)) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Arrive, and say how many bytes the phase has yet to wait for.
__device__ inline void arrive(Barrier& barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(&barrier)), "r"(bytes) : "memory");
}

// Wait for the end of the phase of that parity; the first phase has parity 0. What the phase counted lies in this block's shared memory, so
// nothing more is asked for than to see that: an acquire for the cluster would throw away the level 1 cache each time.
__device__ inline void wait(Barrier& barrier, unsigned parity) {
    asm volatile(
        "{\n"
        ".reg .pred complete;\n"
        "again_%=:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 complete, [%0], %1;\n"
        "@!complete bra again_%=;\n"
        "}" ::"r"(address(&barrier)),
        "r"(parity)
        : "memory");
}

// Write 16 bytes to where `to` lies in block `rank`, and count them there on its `barrier`. Returns before they have arrived.
__device__ inline void send(Real* to, Barrier& barrier, int rank, const Real (&values)[QUAD]) {
    unsigned words[4];
    memcpy(words, values, sizeof(words));
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%2, %3, %4, %5}, [%1];" ::"r"(address(to, rank)),
                 "r"(address(&barrier, rank)), "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
                 : "memory");
}

// Begin to copy bytes, a multiple of 16, from this block's shared memory to where `to` lies in block `rank`, and count them there on its
// `barrier`.
__device__ inline void send_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier, int rank) {
    asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(address(to, rank)),
                 "r"(address(from)), "r"(bytes), "r"(address(&barrier, rank))
                 : "memory");
}

// What was written to shared memory before, by this thread or seen by it at a barrier, is there for the bulk copies that begin after this.
__device__ inline void fence_bulk() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Begin to copy bytes, a multiple of 16, from device memory to this block's shared memory, and count them on its `barrier` when they are
// there.
__device__ inline void copy_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(address(&barrier))
                 : "memory");
}
