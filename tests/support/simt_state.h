// What simt.cpp knows of a launch: its grids, blocks, warps and threads, and what is under way between them.

#include <setjmp.h>
#include <ucontext.h>

#include <map>
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
    bool asleep = false, launches_dependents = false;
    int living;  // threads
    std::vector<unsigned char> memory;
    Gate gate;
    std::map<int, Gate> gates;  // of some of the threads, by their numbers
    std::vector<Warp> warps;
};

struct Grid {
    Launch launch;
    void (*body)(void**);
    void** arguments;
    Grid* predecessor;  // with which it may overlap, or null
    bool begun = false, done = false;
    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<unsigned char*> memories;  // of the blocks
    Gate cluster;
};

struct Copy {  // from device memory to shared memory, or zeros
    void* to;
    const void* from;
    int bytes;
    bool exists;
    int batch;
};

struct Fiber : Thread {
    Grid* grid;
    Block* home;
    const Gate* gate = nullptr;  // where it waits, since that generation
    unsigned generation = 0;
    int turn = 0;  // which of its warp's two buffers it uses next
    bool begun = false, done = false;
    std::unique_ptr<char[]> stack;
    ucontext_t start;
    jmp_buf left;  // where it waits

    bool for_predecessor = false;  // it waits for that
    std::vector<Copy> copies;      // under way, the oldest first
    int batch = 0;                 // of copies: how many came before this one

    bool waits() const { return (gate && gate->generation == generation) || (for_predecessor && !grid->predecessor->done); }
    Warp& warp() { return home->warps[index.x / 32]; }
};

// An mbarrier, as the PTX manual describes it, for one arrival a phase.
struct Phase {
    int bytes;       // expected and not yet arrived; below 0 when they come before they are expected
    short arrivals;  // still to come
    short parity;    // of the phase under way
};
static_assert(sizeof(Phase) == sizeof(Barrier));

struct Parcel {  // what was sent to shared memory and has not arrived yet
    unsigned char* to;
    Barrier* barrier;
    unsigned char bytes[16];
    const unsigned char* from = nullptr;  // or where it is read when it arrives: what lies there by then is what comes
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

}  // namespace simt
