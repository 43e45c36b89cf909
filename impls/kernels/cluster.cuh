// How the blocks of one cluster (compute capability 9.0 and later) add up what each knows a part of: every block writes its part
// into the shared memory of all, and a barrier there counts the bytes that have arrived. No trip through device memory.
// grid.cuh offers the same names where there are no clusters.

#define TOGETHER __cluster_dims__(BLOCKS, 1, 1)

constexpr int DESTINATIONS = BLOCKS;

struct Mailbox {
    // Of two steps in turn. Nobody sends step s + 2 before all have sent s + 1, and whoever sends that has read s.
    alignas(16) Real parts[2][BLOCKS][ITEMS];
    Barrier arrived[2];
};

// Before the first step. All threads of all blocks meet here.
__device__ inline void open(Mailbox& mail, void*) {
    if (threadIdx.x == 0)
        for (auto& barrier : mail.arrived) initialise(barrier);
    meet();
}

// Before a step's first part is sent. All threads.
__device__ inline void expect(Mailbox& mail, int step) {
    if (threadIdx.x == 0) arrive(mail.arrived[step % 2], sizeof(mail.parts[0]));
}

// Write `values` into block `destination`'s mailbox, at place `quad` of this block's part.
__device__ inline void post(Mailbox& mail, int step, int quad, int destination, const Real (&values)[QUAD]) {
    send(&mail.parts[step % 2][blockIdx.x][quad * QUAD], mail.arrived[step % 2], destination, values);
}

// Wait for the parts of all blocks, and return them. All threads.
__device__ inline const Real (&receive(Mailbox& mail, int step))[BLOCKS][ITEMS] {
    wait(mail.arrived[step % 2], step / 2 % 2);
    return mail.parts[step % 2];
}

// After the last step: all threads of all blocks meet here, because no block may leave while another writes into its shared memory.
__device__ inline void close(Mailbox&) { meet(); }
