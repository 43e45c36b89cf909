// The sizes of lookahead.cu, and the shared memory of its two kinds of blocks.

constexpr int whole(int count, int part) { return (count + part - 1) / part; }

constexpr int INPUTS = whole(PIXELS + 1, QUAD) * QUAD;  // of an image in device memory
constexpr int LINE = whole(EXAMPLES, QUAD) * QUAD;      // one number per example, padded
constexpr int UNITS = whole(HIDDEN, 2 * QUAD) * 2 * QUAD;           // hidden units that the workers compute
constexpr int ROUNDS = whole(HIDDEN + 1, 32), LANES = 32 * ROUNDS;  // iterations of a warp over the hidden units and the bias
constexpr int WORKERS = BLOCKS - 1;
constexpr int SLICE = whole(INPUTS / QUAD, WORKERS);  // quads of pixels of a worker
constexpr int SIDE = 16;                              // pairs of lanes of a warp along the pixels; a pair reads the same pixels
constexpr int QUADS = whole(SLICE, SIDE);             // quads of pixels of a thread
constexpr int MESSAGE = EXAMPLES * UNITS;             // numbers: a worker's part of z_1, or delta_1
constexpr int DELTAS = 4;                             // mini-batches whose delta_1 a block holds at once
constexpr int RECORDS = 4;                            // records that the conductor holds at once
constexpr int AHEAD = 4;                              // steps between the request for an image and its use
constexpr int IMAGES = LEAD + AHEAD + 1;              // mini-batches of images that a worker holds at once

// The data of a mini-batch that the conductor needs.
struct alignas(16) Record {
    Real gram[LEAD][EXAMPLES][LINE];  // [d - 1][e][i]: image e times image i of the mini-batch d steps earlier, with the 1s
    Real labels[LINE];
};

struct Conductor {
    alignas(16) Real parts[LEAD + 1][WORKERS][EXAMPLES][UNITS];  // w_{k-LEAD} x_k from every worker, a ring buffer
    Record records[RECORDS];
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real delta2[EXAMPLES][whole(OUTPUTS, QUAD) * QUAD];
    alignas(16) Real delta2_by_output[OUTPUTS][LINE];  // the same, transposed, so that each of its two readers reads whole lines
    Real early[2][EXAMPLES][UNITS];  // z_1 of this step and the next one, without the correction for the step before
    Real a1[EXAMPLES][LANES], w2[OUTPUTS][LANES];
    Barrier arrived[LEAD + 1], recorded[RECORDS];
};

struct Worker {
    alignas(16) Real delta1[DELTAS][EXAMPLES][UNITS];
    alignas(16) Real images[IMAGES][EXAMPLES][QUADS * SIDE * QUAD];
    // With the padding, the writes of a quarter of a warp go to different banks.
    struct {
        Quad lanes[SIDE][EXAMPLES / 2 * 2 + 1], padding[4];
    } sums[2][UNITS / QUAD];
    alignas(16) Real part[DELTAS][EXAMPLES][UNITS];  // their sums
    Barrier arrived[DELTAS], loaded[IMAGES];
};
static_assert(DELTAS > LEAD, "a block reads a message from its buffer until the receiver has it");
static_assert(sizeof(Conductor) <= SHARED_BYTES && sizeof(Worker) <= SHARED_BYTES, "gpu_lookahead.py counts the shared memory wrong");

// Set an array in shared memory to zero, 16 bytes at a time. All threads call this.
template <typename Array>
__device__ inline void zero(Array& array) {
#pragma unroll 1
    for (int i = threadIdx.x; i < sizeof(array) / sizeof(Quad); i += THREADS) reinterpret_cast<Quad*>(array)[i] = {};
}
