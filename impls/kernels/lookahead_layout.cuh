// The sizes of lookahead.cu, and what its two kinds of blocks hold in shared memory.

constexpr int whole(int count, int part) { return (count + part - 1) / part; }

constexpr int INPUTS = whole(PIXELS + 1, QUAD) * QUAD;  // of an image in device memory
constexpr int LINE = whole(EXAMPLES, QUAD) * QUAD;      // room for a number of each example
constexpr int UNITS = whole(HIDDEN, 2 * QUAD) * 2 * QUAD;           // hidden units that the workers compute
constexpr int ROUNDS = whole(HIDDEN + 1, 32), LANES = 32 * ROUNDS;  // hidden units, and the bias, by the lanes of a warp
constexpr int WORKERS = BLOCKS - 1;
constexpr int SLICE = whole(INPUTS / QUAD, WORKERS);  // quads of pixels of a worker
constexpr int SIDE = 16;                              // lanes of a warp along the pixels, each twice: neighbours read the same pixels
constexpr int QUADS = whole(SLICE, SIDE);             // of a thread
constexpr int MESSAGE = EXAMPLES * UNITS;             // numbers: a worker's part of z_1, or delta_1
constexpr int DELTAS = 4;                             // mini-batches whose delta_1 a block holds at once
constexpr int RECORDS = 4;                            // that the conductor holds at once
constexpr int AHEAD = 4;                              // steps between asking for an image and needing it
constexpr int IMAGES = LEAD + AHEAD + 1;              // mini-batches of images that a worker holds at once

// What the conductor must know of a mini-batch's data.
struct alignas(16) Record {
    Real gram[LEAD][EXAMPLES][LINE];  // [d - 1][e][i]: image e times image i of the mini-batch d steps before, with the 1s
    Real labels[LINE];
};

struct Conductor {
    alignas(16) Real parts[LEAD + 1][WORKERS][EXAMPLES][UNITS];  // w_{k-LEAD} x_k from every worker, in turn
    Record records[RECORDS];
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real delta2[EXAMPLES][whole(OUTPUTS, QUAD) * QUAD];
    Real early[EXAMPLES][UNITS];  // z_1 of the next step, without the correction for the current one
    Real a1[EXAMPLES][LANES], w2[OUTPUTS][LANES];
    Barrier arrived[LEAD + 1], recorded[RECORDS];
};

struct Worker {
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real images[IMAGES][EXAMPLES][QUADS * SIDE * QUAD];
    // The padding keeps what a quarter of a warp writes in different banks.
    struct {
        Quad lanes[SIDE][EXAMPLES / 2 * 2 + 1], padding[4];
    } sums[2][UNITS / QUAD];
    alignas(16) Real part[DELTAS][EXAMPLES][UNITS];  // their sums
    Barrier arrived[DELTAS], loaded[IMAGES];
};
static_assert(DELTAS > LEAD, "a message is read where it lies until the receiver has it");
static_assert(sizeof(Conductor) <= SHARED_BYTES && sizeof(Worker) <= SHARED_BYTES, "gpu_lookahead.py counts the shared memory wrong");

// Set an array in shared memory to zero, 16 bytes at a time. All threads.
template <typename Array>
__device__ inline void zero(Array& array) {
#pragma unroll 1
    for (int i = threadIdx.x; i < sizeof(array) / sizeof(Quad); i += THREADS) reinterpret_cast<Quad*>(array)[i] = {};
}
