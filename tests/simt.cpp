// Plays a CUDA kernel on one CPU thread. Every thread of the grid is a fiber that runs until it has to wait; who goes next is the
// schedule's choice, in order or shuffled, so that a result which depends on it comes out different. A barrier can be left out.

#define REAL float  // of no consequence here
#include "simt.h"
#undef meet
#undef wait

#include <setjmp.h>
#include <ucontext.h>

#include <cstring>
#include <memory>
#include <vector>

namespace simt {

struct Gate {  // where `needed` threads wait for each other
    int needed, here = 0;
    unsigned generation = 0;
};

struct Warp {
    Gate gate{32};
    double values[2][32];
};

struct Block {
    bool asleep = false;
    std::vector<unsigned char> memory;
    Gate gate;
    std::vector<Warp> warps;
};

struct Fiber : Thread {
    Block* home;
    const Gate* gate = nullptr;  // where it waits, since that generation
    unsigned generation = 0;
    int turn = 0;  // which of its warp's two buffers it uses next
    bool begun = false, done = false;
    std::unique_ptr<char[]> stack;
    ucontext_t start;
    jmp_buf left;  // where it waits

    bool waits() const { return gate && gate->generation == generation; }
    Warp& warp() { return home->warps[index.x / 32]; }
};

struct Parcel {  // what was sent to another block and has not arrived yet
    unsigned char* to;
    Barrier* barrier;
    unsigned char bytes[16];
};

struct Dice {  // Marsaglia's xorshift
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

Thread* current;
jmp_buf scheduler;
std::vector<std::unique_ptr<Block>> blocks;
std::vector<unsigned char*> memories;  // of the blocks
std::vector<Parcel> under_way;
Gate cluster;
int without;
void (*body)(void**);
void** given;
bool moved;  // did anything happen but waiting?

Fiber& fiber() { return *static_cast<Fiber*>(current); }

// The contexts of <ucontext.h> begin a fiber; they ask the kernel for the signal mask every time, so from then on it is jumps.
[[gnu::noinline]] void resume(Fiber& fiber) {
    current = &fiber;
    if (_setjmp(scheduler)) return;
    if (fiber.begun) _longjmp(fiber.left, 1);
    fiber.begun = true;
    setcontext(&fiber.start);
}

void yield() {
    if (!_setjmp(fiber().left)) _longjmp(scheduler, 1);
}

void stir() { moved = true; }

void pass(Gate& gate) {
    stir();
    auto& mine = fiber();
    mine.gate = &gate, mine.generation = gate.generation;
    if (++gate.here == gate.needed)
        gate.here = 0, gate.generation++;
    else
        yield();
    mine.gate = nullptr;
}

void barrier(int number) {
    if (number != without) pass(fiber().home->gate);
}

void meet(int number) {
    if (number != without) pass(cluster);
}

double exchange(double value, int mask) {
    auto& mine = fiber();
    auto& values = mine.warp().values[mine.turn ^= 1];
    const int lane = mine.index.x % 32;
    values[lane] = value;
    pass(mine.warp().gate);
    return values[lane ^ mask];
}

// An mbarrier, as the PTX manual describes it, for one arrival a phase.
struct Phase {
    int bytes;       // expected and not yet arrived; below 0 when they come before they are expected
    short arrivals;  // still to come
    short parity;    // of the phase under way
};
static_assert(sizeof(Phase) == sizeof(Barrier));

void end_if_complete(Phase& phase) {
    if (phase.arrivals == 0 && phase.bytes == 0) {
        phase.arrivals = 1;
        phase.parity ^= 1;
    }
}

// Change the barrier by a number of bytes and of arrivals.
void change(Barrier& barrier, int bytes, int arrivals) {
    stir();
    Phase phase;
    std::memcpy(&phase, &barrier, sizeof phase);
    phase.bytes += bytes, phase.arrivals += arrivals;
    end_if_complete(phase);
    std::memcpy(&barrier, &phase, sizeof phase);
}

void initialise(Barrier& barrier) {
    const Phase first{0, 1, 0};
    std::memcpy(&barrier, &first, sizeof first);
}

void arrive(Barrier& barrier, int bytes) { change(barrier, bytes, -1); }

void wait(int number, const Barrier& barrier, unsigned parity) {
    for (Phase phase; number != without; yield()) {
        std::memcpy(&phase, &barrier, sizeof phase);
        if (phase.parity != static_cast<short>(parity)) return;
    }
}

void send(void* to, Barrier& barrier, int rank, const void* values) {
    auto there = [&](void* address) { return memories[rank] + (static_cast<unsigned char*>(address) - current->shared); };
    Parcel parcel{there(to), reinterpret_cast<Barrier*>(there(&barrier)), {}};
    std::memcpy(parcel.bytes, values, 16);
    under_way.push_back(parcel);
}

void deliver(const Parcel& parcel) {
    std::memcpy(parcel.to, parcel.bytes, 16);
    change(*parcel.barrier, -16, 0);
}

void enter() {
    body(given);
    fiber().done = true;
    stir();
    yield();
}

int play(const Launch& launch, void (*kernel)(void**), void** arguments) {
    constexpr size_t STACK = 32 * 1024;
    body = kernel, given = arguments, without = launch.without;
    blocks.clear(), memories.clear(), under_way.clear();
    const int count = launch.grid[0] * launch.grid[1] * launch.grid[2];
    cluster = Gate{count * launch.threads};
    std::vector<std::unique_ptr<Fiber>> fibers;
    for (int i = 0; i < count; i++) {
        auto block = std::make_unique<Block>();
        block->memory.assign(launch.shared_bytes + 16, 0xff);  // not a number, until it is written
        memories.push_back(block->memory.data() + (16 - reinterpret_cast<size_t>(block->memory.data()) % 16) % 16);
        block->gate.needed = launch.threads;
        block->warps.resize((launch.threads + 31) / 32);
        for (int t = 0; t < launch.threads; t++) {
            auto fiber = std::make_unique<Fiber>();
            fiber->index = {t, 0, 0};
            fiber->block = {i % launch.grid[0], i / launch.grid[0] % launch.grid[1], i / launch.grid[0] / launch.grid[1]};
            fiber->size = {launch.threads, 1, 1};
            fiber->shared = memories.back();
            fiber->home = block.get();
            fiber->stack.reset(new char[STACK]);
            getcontext(&fiber->start);
            fiber->start.uc_stack.ss_sp = fiber->stack.get();
            fiber->start.uc_stack.ss_size = STACK;
            makecontext(&fiber->start, enter, 0);
            fibers.push_back(std::move(fiber));
        }
        blocks.push_back(std::move(block));
    }
    Dice dice{launch.seed};
    for (int idle = 0; !fibers.empty();) {
        moved = false;
        bool ended = false;
        if (launch.seed) dice.shuffle(fibers), dice.shuffle(under_way);
        for (auto& block : blocks) block->asleep = launch.seed && dice.below(2);  // so that some blocks get ahead of others
        for (auto& fiber : fibers) {
            if (fiber->home->asleep) continue;
            if (!fiber->waits()) resume(*fiber), ended |= fiber->done;
            if (!under_way.empty() && (!launch.seed || dice.below(8) == 0)) deliver(under_way.back()), under_way.pop_back();
        }
        idle = moved || !under_way.empty() ? 0 : idle + 1;
        if (idle == 64) return 1;
        if (!ended) continue;
        std::vector<std::unique_ptr<Fiber>> living;
        for (auto& fiber : fibers)
            if (!fiber->done) living.push_back(std::move(fiber));
        fibers.swap(living);
    }
    return 0;
}

}  // namespace simt
