// Exchange of partial sums among the blocks of a cooperative launch (compute capability 7.5 and later), through device memory.
// cluster.cuh defines the same names, faster, for devices with clusters.

#define TOGETHER

constexpr int DESTINATIONS = 1;  // one copy, which all blocks read

// In device memory; the host sets it to zero before the launch.
struct Board {
    // Two buffers, for even and odd steps. A block posts step s + 2 only after all blocks have posted s + 1, and they read s before that.
    alignas(16) Real parts[2][BLOCKS][ITEMS];
    unsigned posted;  // number of parts that all blocks have posted since the launch
};

struct Mailbox {
    alignas(16) Real parts[BLOCKS][ITEMS];
    Board* board;
};

// Initialise, before the first step. All threads of the block synchronise here.
__device__ inline void open(Mailbox& mail, void* board) {
    if (threadIdx.x == 0) mail.board = static_cast<Board*>(board);
    __syncthreads();
}

__device__ inline void expect(Mailbox&, int) {}

// Write `values` at index `quad` of this block's part.
__device__ inline void post(Mailbox& mail, int step, int quad, int, const Real (&values)[QUAD]) {
    for (int k = 0; k < QUAD; k++) mail.board->parts[step % 2][blockIdx.x][quad * QUAD + k] = values[k];
}

// Wait for the parts of all blocks, and return them. All threads call this.
__device__ inline const Real (&receive(Mailbox& mail, int step))[BLOCKS][ITEMS] {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(&mail.board->posted, 1u);
        while (*static_cast<volatile unsigned*>(&mail.board->posted) < (step + 1u) * BLOCKS) __nanosleep(20);
        __threadfence();
    }
    __syncthreads();
    const Real* from = mail.board->parts[step % 2][0];
    Real* to = mail.parts[0];
    for (int i = threadIdx.x; i < BLOCKS * ITEMS; i += THREADS) to[i] = __ldcg(from + i);
    __syncthreads();
    return mail.parts;
}

// Finish, after the last step. All threads call this.
__device__ inline void close(Mailbox&) { __syncthreads(); }
