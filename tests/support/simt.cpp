// Emulator of CUDA kernels on one CPU thread. Every thread of a grid is a fiber that runs until it must wait. The schedule then chooses
// the next fiber, in order or at random. So a result that depends on the order differs between schedules. A barrier can be left out.
//
// With programmatic dependent launch, a grid starts when every block of the grid before it has called launch_dependents or has ended, if
// fewer than AT_ONCE grids are running. The grid before it may then still wait for its own predecessor.

#define REAL float  // not used here
#include "simt.h"
#undef meet
#undef meet_some
#undef wait
#undef wait_copies
#undef wait_for_predecessor

#include <cstring>

#include "simt_state.h"

namespace simt {

Thread* current;
jmp_buf scheduler;
std::vector<std::unique_ptr<Grid>> grids;  // waiting to run, in the order of their launches
std::vector<Parcel> under_way;
std::vector<Parcel> copies;  // from device memory to shared memory, not arrived yet
bool moved;  // whether anything happened except for waiting

Fiber& fiber() { return *static_cast<Fiber*>(current); }

// <ucontext.h> starts a fiber. A switch of its contexts is a system call, so later switches are longjmps.
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

bool left_out(int number) { return number == fiber().grid->launch.without; }

void barrier(int number) {
    if (!left_out(number)) pass(fiber().home->gate);
}

void meet(int number) {
    if (!left_out(number)) pass(fiber().grid->cluster);
}

void meet_some(int number, int which, int threads) {
    auto& gate = fiber().home->gates[which];
    gate.needed = threads;
    if (!left_out(number)) pass(gate);
}

void launch_dependents() {
    fiber().home->launches_dependents = true;
    stir();
    yield();  // the dependents may start before the next operation of this thread
}

void wait_for_predecessor(int number) {
    if (left_out(number) || !fiber().grid->predecessor) return;
    stir();
    fiber().for_predecessor = true;
    yield();
    fiber().for_predecessor = false;
}

void warp_barrier(int number) {
    if (!left_out(number)) pass(fiber().warp().gate);
}

double exchange(double value, int mask) {
    auto& mine = fiber();
    auto& values = mine.warp().values[mine.turn ^= 1];
    const int lane = mine.index.x % 32;
    values[lane] = value;
    pass(mine.warp().gate);
    return values[lane ^ mask];
}

void make(const Copy& copy) {
    if (copy.exists)
        std::memcpy(copy.to, copy.from, copy.bytes);
    else
        std::memset(copy.to, 0, copy.bytes);
}

// A copy is made as early as possible with odd seeds, and as late as possible with even seeds.
void copy_async(void* to, const void* from, int bytes, bool exists) {
    const Copy copy{to, from, bytes, exists, fiber().batch};
    stir();
    if (fiber().grid->launch.seed % 2)
        make(copy);
    else
        fiber().copies.push_back(copy);
}

void commit_copies() {
    fiber().batch++;
    stir();
}

void wait_copies(int number, int left) {
    if (left_out(number)) return;
    std::vector<Copy> under_way;
    for (auto& copy : fiber().copies)
        if (copy.batch < fiber().batch - left)
            make(copy);
        else
            under_way.push_back(copy);
    fiber().copies.swap(under_way);
    stir();
}

void end_if_complete(Phase& phase) {
    if (phase.arrivals == 0 && phase.bytes == 0) {
        phase.arrivals = 1;
        phase.parity ^= 1;
    }
}

// Add bytes and arrivals to the barrier.
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
    for (Phase phase; !left_out(number); yield()) {
        std::memcpy(&phase, &barrier, sizeof phase);
        if (phase.parity != static_cast<short>(parity)) return;
    }
}

void send(void* to, Barrier& barrier, int rank, const void* values) {
    auto there = [&](void* address) { return fiber().grid->memories[rank] + (static_cast<unsigned char*>(address) - current->shared); };
    Parcel parcel{there(to), reinterpret_cast<Barrier*>(there(&barrier)), {}};
    std::memcpy(parcel.bytes, values, 16);
    under_way.push_back(parcel);
}

void copy_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier) {
    for (unsigned i = 0; i < bytes; i += 16) {
        Parcel parcel{static_cast<unsigned char*>(to) + i, &barrier, {}};
        std::memcpy(parcel.bytes, static_cast<const unsigned char*>(from) + i, 16);
        copies.push_back(parcel);
    }
}

void send_bulk(void* to, const void* from, unsigned bytes, Barrier& barrier, int rank) {
    auto there = [&](void* address) { return fiber().grid->memories[rank] + (static_cast<unsigned char*>(address) - current->shared); };
    for (unsigned i = 0; i < bytes; i += 16)
        under_way.push_back(
            {there(to) + i, reinterpret_cast<Barrier*>(there(&barrier)), {}, static_cast<const unsigned char*>(from) + i});
}

void deliver(const Parcel& parcel) {
    std::memcpy(parcel.to, parcel.from ? parcel.from : parcel.bytes, 16);
    change(*parcel.barrier, -16, 0);
}

void enter() {
    auto& mine = fiber();
    mine.grid->body(mine.grid->arguments);
    mine.done = true;
    mine.home->living--;
    stir();
    yield();
}

// Create the grid's blocks, and add its threads to the fibers.
void begin(Grid& grid, std::vector<std::unique_ptr<Fiber>>& fibers) {
    constexpr size_t STACK = 32 * 1024;
    const Launch& launch = grid.launch;
    const int count = launch.grid[0] * launch.grid[1] * launch.grid[2];
    grid.begun = true;
    grid.cluster = Gate{count * launch.threads};
    for (int i = 0; i < count; i++) {
        auto block = std::make_unique<Block>();
        block->living = launch.threads;
        block->memory.assign(launch.shared_bytes + 16, 0xff);  // NaN until a thread writes it
        grid.memories.push_back(block->memory.data() + (16 - reinterpret_cast<size_t>(block->memory.data()) % 16) % 16);
        block->gate.needed = launch.threads;
        block->warps.resize((launch.threads + 31) / 32);
        for (int t = 0; t < launch.threads; t++) {
            auto fiber = std::make_unique<Fiber>();
            fiber->index = {t, 0, 0};
            fiber->block = {i % launch.grid[0], i / launch.grid[0] % launch.grid[1], i / launch.grid[0] / launch.grid[1]};
            fiber->size = {launch.threads, 1, 1};
            fiber->shared = grid.memories.back();
            fiber->grid = &grid;
            fiber->home = block.get();
            fiber->stack.reset(new char[STACK]);
            getcontext(&fiber->start);
            fiber->start.uc_stack.ss_sp = fiber->stack.get();
            fiber->start.uc_stack.ss_size = STACK;
            makecontext(&fiber->start, enter, 0);
            fibers.push_back(std::move(fiber));
        }
        grid.blocks.push_back(std::move(block));
    }
}

bool lets_the_next_begin(const Grid& grid) {
    if (!grid.begun) return false;
    for (auto& block : grid.blocks)
        if (block->living && !block->launches_dependents) return false;
    return true;
}

// Start all grids that can start.
void begin_grids(std::vector<std::unique_ptr<Fiber>>& fibers) {
    constexpr int AT_ONCE = 4;
    int running = 0;
    for (auto& grid : grids) {
        if (!grid->begun && running < AT_ONCE && (!grid->predecessor || lets_the_next_begin(*grid->predecessor))) begin(*grid, fibers);
        running += grid->begun && !grid->done;
    }
}

int play_grids() {
    Dice dice{grids.back()->launch.seed};
    const bool shuffled = dice.state;
    std::vector<std::unique_ptr<Fiber>> fibers;
    begin_grids(fibers);
    for (int idle = 0; !fibers.empty();) {
        moved = false;
        bool ended = false;
        if (shuffled) dice.shuffle(fibers), dice.shuffle(under_way), dice.shuffle(copies);
        for (auto& grid : grids)
            for (auto& block : grid->blocks) block->asleep = shuffled && dice.below(2);  // so some blocks get ahead of others
        for (auto& fiber : fibers) {
            if (fiber->home->asleep) continue;
            if (!fiber->waits()) resume(*fiber), ended |= fiber->done;
            if (!under_way.empty() && (!shuffled || dice.below(8) == 0)) deliver(under_way.back()), under_way.pop_back();
        }
        // A copy arrives as late as possible: when nothing else happens.
        while (!moved && !copies.empty()) deliver(copies.back()), copies.pop_back();
        idle = moved || !under_way.empty() ? 0 : idle + 1;
        if (idle == 64) return 1;
        if (ended) {
            std::vector<std::unique_ptr<Fiber>> living;
            for (auto& fiber : fibers)
                if (!fiber->done) living.push_back(std::move(fiber));
            fibers.swap(living);
        }
        for (auto& grid : grids) {
            bool living = !grid->begun;
            for (auto& block : grid->blocks) living |= block->living > 0;
            if (!living) grid->done = true, grid->blocks.clear();
        }
        begin_grids(fibers);
    }
    return 0;
}

int play(const Launch& launch, void (*kernel)(void**), void** arguments) {
    auto grid = std::make_unique<Grid>();
    grid->launch = launch, grid->body = kernel, grid->arguments = arguments;
    grid->predecessor = grids.empty() ? nullptr : grids.back().get();
    grids.push_back(std::move(grid));
    if (launch.followed) return 0;
    const int failed = play_grids();
    grids.clear(), under_way.clear(), copies.clear();
    return failed;
}

}  // namespace simt
