// Replacement of impls/kernels/hardware.cuh for the emulator, tests/support/simt.cpp.
// It uses almost nothing of the standard library, whose headers take as long to compile as the kernels.

#include <utility>

#define __device__
#define __global__
#define __restrict__
#define __launch_bounds__(...)
#define __cluster_dims__(...)

struct Launch {
    int grid[3];
    int threads, shared_bytes;
    int followed;   // whether the next launch may start before this one has ended; both then run when the next one is launched
    unsigned seed;  // seed of the schedule; 0: in order
    int without;    // the barrier, or wait for the predecessor, to leave out, numbered in the order of the text; -1: none
};

namespace simt {

struct Index {
    int x, y, z;
};

struct Thread {
    Index index, block, size;
    unsigned char* shared;  // shared memory of its block
};

using Barrier = unsigned long long;

extern Thread* current;

// Returns 0, or 1 after a deadlock.
int play(const Launch& launch, void (*kernel)(void**), void** arguments);

void yield();
void stir();  // reports an event that another thread may wait for
void barrier(int number);
void meet(int number);
void meet_some(int number, int which, int threads);
void launch_dependents();
void wait_for_predecessor(int number);
double exchange(double value, int mask);
void copy_async(void* to, const void* from, int bytes, bool exists);
void commit_copies();
void wait_copies(int number, int left);
void initialise(Barrier& barrier);
void arrive(Barrier& barrier, int bytes);
void wait(int number, const Barrier& barrier, unsigned parity);
void send(void* to, Barrier& barrier, int rank, const void* values);
void warp_barrier(int number);
void copy_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier);
void send_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier, int rank);

template <class... Arguments, std::size_t... I>
void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<Arguments>*>(arguments[I])...);
}

template <class... Arguments>
void call(void (*kernel)(Arguments...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Arguments...>());
}

}  // namespace simt

// Defines the C function `name`, which launches a kernel. The arguments are given by their addresses.
#define PLAY(name, ...)                                                                                      \
    extern "C" int name(const Launch* launch, void** arguments) {                                            \
        return simt::play(*launch, [](void** arguments) { simt::call(__VA_ARGS__, arguments); }, arguments); \
    }

#define threadIdx (simt::current->index)
#define blockIdx (simt::current->block)
#define blockDim (simt::current->size)
#define __syncthreads() simt::barrier(__COUNTER__)
#define __syncwarp() simt::warp_barrier(__COUNTER__)

using std::size_t;

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline float exp(float x) { return __builtin_expf(x); }
inline double exp(double x) { return __builtin_exp(x); }

inline void __threadfence() {}
inline void __nanosleep(unsigned) { simt::yield(); }
inline unsigned atomicAdd(unsigned* to, unsigned value) {
    simt::stir();
    return (*to += value) - value;
}
template <class T>
T __ldcg(const T* from) {
    return *from;
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    return static_cast<T>(simt::exchange(value, mask));
}

// The definitions of hardware.cuh.

using Real = REAL;

constexpr int QUAD = 16 / sizeof(Real);

inline Real reciprocal(Real x) { return 1 / x; }

inline int uniform(int value) { return value; }
inline void reconverge() {}
inline unsigned cycle(unsigned last) { return last + 1; }  // every reading is one cycle after the previous one

template <class Layout>
Layout& shared_memory() {
    return *reinterpret_cast<Layout*>(simt::current->shared);
}

template <class Layout>
Layout& in_register(Layout& shared) {
    return shared;
}

inline void fence_bulk() {}

using simt::arrive, simt::Barrier, simt::commit_copies, simt::copy_bulk, simt::initialise, simt::launch_dependents,
    simt::send_bulk;

struct alignas(16) Quad {
    Real values[QUAD];
};

template <int COUNT>
void copy_async(Real* to, const Real* from, bool exists) {
    simt::copy_async(to, from, COUNT * sizeof(Real), exists);
}

struct Copies {
    int number;
    template <int LEFT>
    void wait() {
        simt::wait_copies(number, LEFT);
    }
};

#define wait_copies Copies{__COUNTER__}.wait
#define meet() simt::meet(__COUNTER__)
#define meet_some(...) simt::meet_some(__COUNTER__, __VA_ARGS__)
#define wait_for_predecessor() simt::wait_for_predecessor(__COUNTER__)
#define wait(...) simt::wait(__COUNTER__, __VA_ARGS__)

inline void send(Real* to, Barrier& barrier, int rank, const Real (&values)[QUAD]) { simt::send(to, barrier, rank, values); }
