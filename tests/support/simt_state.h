// State of a launch in simt.cpp: grids, blocks, warps, threads, and the copies between them.

#include <setjmp.h>
#include <ucontext.h>

#include <map>
#include <memory>
#include <vector>

namespace simt {

struct Gate {  // a barrier for `needed` threads
    int needed, here = 0;
    unsigned generation = 0;
};

struct Warp {
    Gate gate{32};
    double values[2][32];
};

struct Block {
    bool asleep = false, launches_dependents = false;
    int living;  // number of threads that have not ended
    std::vector<unsigned char> memory;
    Gate gate;
    std::map<int, Gate> gates;  // barriers of some of the threads, by number
    std::vector<Warp> warps;
};

struct Grid {
    Launch launch;
    void (*body)(void**);
    void** arguments;
    Grid* predecessor;  // the grid that it may overlap with, or null
    bool begun = false, done = false;
    std::vector<std::unique_ptr<Block>> blocks;
    std::vector<unsigned char*> memories;  // shared memory of the blocks
    Gate cluster;
};

struct Copy {  // a copy from device memory, or of zeros, to shared memory
    void* to;
    const void* from;
    int bytes;
    bool exists;
    int batch;
};

struct Fiber : Thread {
    Grid* grid;
    Block* home;
    const Gate* gate = nullptr;  // the barrier where it waits, and its generation
    unsigned generation = 0;
    int turn = 0;  // the next of its warp's two buffers
    bool begun = false, done = false;
    std::unique_ptr<char[]> stack;
    ucontext_t start;
    jmp_buf left;  // the point where it waits

    bool for_predecessor = false;  // whether it waits for the predecessor
    std::vector<Copy> copies;      // not finished, the oldest first
    int batch = 0;                 // number of earlier batches of copies

    bool waits() const { return (gate && gate->generation == generation) || (for_predecessor && !grid->predecessor->done); }
    Warp& warp() { return home->warps[index.x / 32]; }
};

// An mbarrier of the PTX manual with one arrival per phase.
struct Phase {
    int bytes;       // expected and not arrived; negative if they arrive before they are expected
    short arrivals;  // not arrived yet
    short parity;    // of the current phase
};
static_assert(sizeof(Phase) == sizeof(Barrier));

struct Parcel {  // data sent to shared memory that has not arrived
    unsigned char* to;
    Barrier* barrier;
    unsigned char bytes[16];
    const unsigned char* from = nullptr;  // or the address to read from at its arrival
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
