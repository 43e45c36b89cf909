// Exchange of partial sums among the blocks of one cluster (compute capability 9.0 and later). Every block writes its part into the
// shared memory of all blocks, and a barrier there counts the bytes that have arrived. The parts do not pass through device memory.
// grid.cuh defines the same names for devices without clusters.

#define TOGETHER __cluster_dims__(BLOCKS, 1, 1)

constexpr int DESTINATIONS = BLOCKS;

struct Mailbox {
    // Two buffers, for even and odd steps. A block sends step s + 2 only after all blocks have sent s + 1, and they read s before that.
    alignas(16) Real parts[2][BLOCKS][ITEMS];
    Barrier arrived[2];
};

// Initialise, before the first step. All threads of all blocks synchronise here.
__device__ inline void open(Mailbox& mail, void*) {
    if (threadIdx.x == 0)
        for (auto& barrier : mail.arrived) initialise(barrier);
    meet();
}

// Announce the bytes of a step, before this block sends its part. All threads call this.
__device__ inline void expect(Mailbox& mail, int step) {
    if (threadIdx.x == 0) arrive(mail.arrived[step % 2], sizeof(mail.parts[0]));
}

// Write `values` into the mailbox of block `destination`, at index `quad` of this block's part.
__device__ inline void post(Mailbox& mail, int step, int quad, int destination, const Real (&values)[QUAD]) {
    send(&mail.parts[step % 2][blockIdx.x][quad * QUAD], mail.arrived[step % 2], destination, values);
}

// Wait for the parts of all blocks, and return them. All threads call this.
__device__ inline const Real (&receive(Mailbox& mail, int step))[BLOCKS][ITEMS] {
    wait(mail.arrived[step % 2], step / 2 % 2);
    return mail.parts[step % 2];
}

// Finish, after the last step. All threads of all blocks synchronise, because a block must not exit while another writes to its memory.
__device__ inline void close(Mailbox&) { meet(); }
