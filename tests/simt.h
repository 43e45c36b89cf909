// Plays a CUDA kernel on one CPU thread. Every thread of the grid is a fiber that runs until it has to wait; who goes next is the
// schedule's choice, in order or shuffled, so that a result which depends on it comes out different. A barrier can be left out.
// Takes the place of impls/kernels/hardware.cuh.

#include <ucontext.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#define __device__
#define __global__
#define __restrict__
#define __launch_bounds__(...)
#define __cluster_dims__(...)

struct Launch {
    int grid[3];
    int threads, shared_bytes;
    unsigned seed;    // of the schedule; 0: in order
    int without;      // the barrier to leave out, counted in the order of the text, or -1
};

namespace simt {

struct Index {
    int x, y, z;
};

struct Gate {  // where `needed` threads wait for each other
    int needed, here = 0;
    unsigned generation = 0;
};

struct Warp {
    Gate gate{32};
    double values[2][32];
};

struct Block {
    Index index;
    bool asleep = false;
    std::vector<unsigned char> memory;
    unsigned char* shared;
    Gate gate;
    std::vector<Warp> warps;
};

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    Index thread;
    Block* block;
    int turn = 0;  // which of its warp's two buffers it uses next
    bool done = false;
};

struct Parcel {  // what was sent to another block and has not arrived yet
    unsigned char* to;
    unsigned char* barrier;
    unsigned char bytes[16];
};

struct Dice {  // Marsaglia's xorshift; the standard library's header alone would take as long to compile as the kernels
    unsigned state;

    unsigned below(unsigned n) {
        state ^= state << 13, state ^= state >> 17, state ^= state << 5;
        return state % n;
    }
    template <class T>
    void shuffle(std::vector<T>& items) {
        for (size_t i = items.size(); i > 1; i--) std::swap(items[i - 1], items[below(i)]);
    }
};

inline Fiber* current;
inline ucontext_t scheduler;
inline std::vector<std::unique_ptr<Block>> blocks;
inline std::vector<Parcel> under_way;
inline Gate cluster;
inline int without;
inline void (*body)(void**);
inline void** given;

inline bool moved;  // did anything happen but waiting?

inline void yield() { swapcontext(&current->context, &scheduler); }

inline void pass(Gate& gate) {
    moved = true;
    const unsigned generation = gate.generation;
    if (++gate.here == gate.needed) {
        gate.here = 0;
        gate.generation++;
    } else {
        while (gate.generation == generation) yield();
    }
}

inline void barrier(int number) {
    if (number != without) pass(current->block->gate);
}

// An mbarrier, as the PTX manual describes it, for one arrival a phase.
struct Phase {
    int bytes;       // expected and not yet arrived; below 0 when they come before they are expected
    short arrivals;  // still to come
    short parity;    // of the phase under way
};
static_assert(sizeof(Phase) == 8, "an mbarrier has 64 bits");

inline Phase& phase(unsigned long long& barrier) { return reinterpret_cast<Phase&>(barrier); }

inline void end_if_complete(Phase& phase) {
    if (phase.arrivals == 0 && phase.bytes == 0) {
        phase.arrivals = 1;
        phase.parity ^= 1;
    }
}

inline void meet(int number) {
    if (number != without) pass(cluster);
}

inline void wait(int number, unsigned long long& barrier, unsigned parity) {
    while (number != without && phase(barrier).parity == static_cast<short>(parity)) yield();
}

inline void deliver(const Parcel& parcel) {
    moved = true;
    std::memcpy(parcel.to, parcel.bytes, 16);
    auto& phase = *reinterpret_cast<Phase*>(parcel.barrier);
    phase.bytes -= 16;
    end_if_complete(phase);
}

inline void enter() {
    body(given);
    current->done = moved = true;
    yield();
}

// Returns 0, or 1 if the threads wait for what never comes.
inline int play(const Launch& launch, void (*kernel)(void**), void** arguments) {
    body = kernel, given = arguments, without = launch.without;
    blocks.clear(), under_way.clear();
    const int count = launch.grid[0] * launch.grid[1] * launch.grid[2];
    cluster = Gate{count * launch.threads};
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < count; i++) {
        auto block = std::make_unique<Block>();
        block->index = {i % launch.grid[0], i / launch.grid[0] % launch.grid[1], i / launch.grid[0] / launch.grid[1]};
        block->memory.assign(launch.shared_bytes + 16, 0xff);  // not a number, until it is written
        block->shared = block->memory.data() + (16 - reinterpret_cast<size_t>(block->memory.data()) % 16) % 16;
        block->gate.needed = launch.threads;
        block->warps.resize((launch.threads + 31) / 32);
        for (int t = 0; t < launch.threads; t++) {
            constexpr size_t STACK = 32 * 1024;
            auto fiber = std::make_unique<Fiber>();
            fiber->stack.reset(new char[STACK]);
            fiber->thread = {t, 0, 0};
            fiber->block = block.get();
            getcontext(&fiber->context);
            fiber->context.uc_stack.ss_sp = fiber->stack.get();
            fiber->context.uc_stack.ss_size = STACK;
            fiber->context.uc_link = &scheduler;
            makecontext(&fiber->context, enter, 0);
            fibers.push_back(std::move(fiber));
        }
        blocks.push_back(std::move(block));
    }
    Dice dice{launch.seed};
    for (int idle = 0; !fibers.empty();) {
        moved = false;
        if (launch.seed) dice.shuffle(fibers), dice.shuffle(under_way);
        for (auto& block : blocks) block->asleep = launch.seed && dice.below(2);  // so that some blocks get ahead of others
        for (auto& fiber : fibers) {
            if (fiber->block->asleep) continue;
            current = fiber.get();
            swapcontext(&scheduler, &current->context);
            if (!under_way.empty() && (!launch.seed || dice.below(8) == 0)) deliver(under_way.back()), under_way.pop_back();
        }
        idle = moved || !under_way.empty() ? 0 : idle + 1;
        if (idle == 64) return 1;
        std::vector<std::unique_ptr<Fiber>> living;
        for (auto& fiber : fibers)
            if (!fiber->done) living.push_back(std::move(fiber));
        fibers.swap(living);
    }
    return 0;
}

template <class... Arguments, size_t... I>
void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<Arguments>*>(arguments[I])...);
}

template <class... Arguments>
void call(void (*kernel)(Arguments...), void** arguments) {
    call(kernel, arguments, std::index_sequence_for<Arguments...>());
}

}  // namespace simt

// The C function `name`, that launches a kernel with arguments given by their addresses.
#define PLAY(name, ...)                                                                                      \
    extern "C" int name(const Launch* launch, void** arguments) {                                            \
        return simt::play(*launch, [](void** arguments) { simt::call(__VA_ARGS__, arguments); }, arguments); \
    }

#define threadIdx (simt::current->thread)
#define blockIdx (simt::current->block->index)
#define blockDim (simt::Index{simt::current->block->gate.needed, 1, 1})
#define __syncthreads() simt::barrier(__COUNTER__)

inline int min(int a, int b) { return a < b ? a : b; }

inline void __threadfence() {}
inline void __nanosleep(unsigned) { simt::yield(); }
inline unsigned atomicAdd(unsigned* to, unsigned value) {
    simt::moved = true;
    return (*to += value) - value;
}
template <class T>
T __ldcg(const T* from) {
    return *from;
}
template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
    const int lane = threadIdx.x % 32;
    auto& warp = simt::current->block->warps[threadIdx.x / 32];
    auto& values = warp.values[simt::current->turn ^= 1];
    values[lane] = value;
    simt::pass(warp.gate);
    return values[lane ^ mask];
}

// What hardware.cuh defines.

using Real = REAL;

constexpr int QUAD = 16 / sizeof(Real);

inline Real reciprocal(Real x) { return 1 / x; }

template <class Layout>
Layout& shared_memory() {
    return *reinterpret_cast<Layout*>(simt::current->block->shared);
}

using Barrier = unsigned long long;

#define meet() simt::meet(__COUNTER__)
#define wait(...) simt::wait(__COUNTER__, __VA_ARGS__)

inline void initialise(Barrier& barrier) { simt::phase(barrier) = {0, 1, 0}; }
inline void arrive(Barrier& barrier, unsigned bytes) {
    simt::phase(barrier).bytes += bytes;
    simt::phase(barrier).arrivals--;
    simt::end_if_complete(simt::phase(barrier));
}
inline void send(Real* to, Barrier& barrier, int rank, const Real (&values)[QUAD]) {
    unsigned char* const there = simt::blocks[rank]->shared;
    unsigned char* const here = simt::current->block->shared;
    simt::Parcel parcel{there + (reinterpret_cast<unsigned char*>(to) - here), there + (reinterpret_cast<unsigned char*>(&barrier) - here)};
    std::memcpy(parcel.bytes, values, 16);
    simt::under_way.push_back(parcel);
}
