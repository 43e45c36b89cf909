// How the blocks of a cooperative launch (compute capability 7.5 and later) add up what each knows a part of: through device memory.
// cluster.cuh offers the same names, faster, where there are clusters.

#define TOGETHER

constexpr int DESTINATIONS = 1;  // one copy, which all read

// In device memory, zero before the launch.
struct Board {
    // Of two steps in turn. Nobody posts step s + 2 before all have posted s + 1, and whoever posts that has read s.
    alignas(16) Real parts[2][BLOCKS][ITEMS];
    unsigned posted;  // parts, by all blocks since the launch
};

struct Mailbox {
    alignas(16) Real parts[BLOCKS][ITEMS];
    Board* board;
};

// Before the first step. All threads of the block meet here.
__device__ inline void open(Mailbox& mail, void* board) {
    if (threadIdx.x == 0) mail.board = static_cast<Board*>(board);
    __syncthreads();
}

__device__ inline void expect(Mailbox&, int) {}

// Write `values` at place `quad` of this block's part.
__device__ inline void post(Mailbox& mail, int step, int quad, int, const Real (&values)[QUAD]) {
    for (int k = 0; k < QUAD; k++) mail.board->parts[step % 2][blockIdx.x][quad * QUAD + k] = values[k];
}

// Wait for the parts of all blocks, and return them. All threads.
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

// After the last step. All threads.
__device__ inline void close(Mailbox&) { __syncthreads(); }
