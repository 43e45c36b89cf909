// The type of all arithmetic, and all hardware-specific functions of the kernels. A CPU can emulate the rest without changes: the tests
// replace this file by tests/support/simt.h.

using Real = REAL;

constexpr int QUAD = 16 / sizeof(Real);  // Reals in 16 bytes, the unit of loads and messages

// Return 1/x for x >= 1, with an error of up to 2 units in the last place. Faster than a division, which also handles the smallest and
// largest numbers.
__device__ inline float reciprocal(float x) { return __fdividef(1.0f, x); }
__device__ inline double reciprocal(double x) { return 1.0 / x; }

// Tell the compiler that a value is the same in all lanes of a warp: a branch on it does not diverge.
__device__ inline int uniform(int value) { return __shfl_sync(0xffffffff, value, 0); }

// Synchronise `threads` threads of the block, a multiple of 32. `number`, 1 to 15, identifies the barrier.
__device__ inline void meet_some(int number, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory"); }

// Reconverge the lanes of the warp after a loop. Otherwise the compiler may assume divergence and generate each shuffle twice.
__device__ inline void reconverge() { __syncwarp(); }

struct alignas(16) Quad {  // one load or store
    Real values[QUAD];
};

// Return the block's dynamic shared memory as one structure.
template <class Layout>
__device__ Layout& shared_memory() {
    extern __shared__ __align__(16) unsigned char bytes[];
    return *reinterpret_cast<Layout*>(bytes);
}

// Keep the address of a structure in shared memory in a register. In a cluster, the compiler would compute it from the block's rank before
// each use, and reading the rank takes as long as a load.
template <class Layout>
__device__ inline Layout& in_register(Layout& shared) {
    void* start = &shared;
    asm volatile("" : "+l"(start));
    __builtin_assume(__isShared(start));  // so that loads and stores remain those of shared memory
    return *static_cast<Layout*>(start);
}

__device__ inline unsigned address(const void* shared) { return static_cast<unsigned>(__cvta_generic_to_shared(shared)); }

// Read the multiprocessor's clock after this thread has passed all earlier barriers and waits. A read of shared memory enforces that.
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

// Start to copy COUNT Reals, 1 or QUAD, from device memory to shared memory. If `exists` is false, write zeros and do not read.
// Before compute capability 8.0 the copy is synchronous.
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

// Close a batch of this thread's copies.
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

// Programmatic dependent launch, for compute capability 9.0 and later. Such a kernel may start while the previous kernel in the stream
// is still running, as soon as every block of that kernel has called launch_dependents. Before 9.0, kernels do not overlap.

__device__ inline void launch_dependents() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Wait until the previous kernel has ended and all its writes are visible.
__device__ inline void wait_for_predecessor() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Clusters of blocks that write into each other's shared memory, for compute capability 9.0 and later.

using Barrier = unsigned long long;  // an mbarrier in shared memory; a phase ends after all expected arrivals and bytes

// Return the address in block `rank` that corresponds to this address in the own shared memory.
__device__ inline unsigned address(const void* shared, int rank) {
    unsigned there;
    asm volatile("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(there) : "r"(address(shared)), "r"(rank));
    return there;
}

// Synchronise all threads of the cluster.
__device__ inline void meet() { asm volatile("barrier.cluster.arrive;\nbarrier.cluster.wait;" ::: "memory"); }

// Initialise a barrier with one arrival per phase. One thread calls this, before meet().
__device__ inline void initialise(Barrier& barrier) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address(&barrier)) : "memory");
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Arrive, and add to the bytes that the phase expects.
__device__ inline void arrive(Barrier& barrier, unsigned bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address(&barrier)), "r"(bytes) : "memory");
}

// Wait for the end of the phase with this parity; the first phase has parity 0. The bytes of the phase are in this block's shared memory,
// so the scope of the block is enough: an acquire for the cluster would invalidate the L1 cache each time.
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

// Start to write 16 bytes to `to` in block `rank`, and count them on `barrier` of that block.
__device__ inline void send(Real* to, Barrier& barrier, int rank, const Real (&values)[QUAD]) {
    unsigned words[4];
    memcpy(words, values, sizeof(words));
    asm volatile("st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%2, %3, %4, %5}, [%1];" ::"r"(address(to, rank)),
                 "r"(address(&barrier, rank)), "r"(words[0]), "r"(words[1]), "r"(words[2]), "r"(words[3])
                 : "memory");
}

// Start to copy bytes, a multiple of 16, from this block's shared memory to `to` in block `rank`, and count them on `barrier` of that
// block.
__device__ inline void send_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier, int rank) {
    asm volatile("cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(address(to, rank)),
                 "r"(address(from)), "r"(bytes), "r"(address(&barrier, rank))
                 : "memory");
}

// Make earlier writes to shared memory, by this thread or visible to it after a barrier, visible to later bulk copies.
__device__ inline void fence_bulk() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Start to copy bytes, a multiple of 16, from device memory to this block's shared memory. `barrier` counts the bytes that have arrived.
__device__ inline void copy_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(address(to)),
                 "l"(__cvta_generic_to_global(from)), "r"(bytes), "r"(address(&barrier))
                 : "memory");
}
