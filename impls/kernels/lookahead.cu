// The kernel `epoch` trains a network with one hidden layer for a whole epoch. It does most of a step's arithmetic LEAD steps early.
//
// Layer 1 computes z_k = w_k x_k for mini-batch k, whose images are the columns of x_k. A step changes the weights by
// w_{k+1} = w_k - delta_k x_k^T. Therefore
//     z_k = w_{k-LEAD} x_k - sum of delta_j (x_j^T x_k) over j = k-LEAD .. k-1.
// The first term is nearly all of the arithmetic, and its weights are known LEAD steps early. Each x_j^T x_k is a matrix of
// EXAMPLES x EXAMPLES that depends on the images and their order alone. The kernel `prepare` computes all of them before the first step.
//
// Block 0, the conductor, computes delta_k from z_k: only this work waits for the previous step. Every other block, a worker, has a slice
// of the pixels and keeps their weights in registers. It sends its part of w_{k-LEAD} x_k to the conductor, and receives delta_k to change
// its weights. While the conductor computes step k, the workers compute later steps.
//
// A bias is the weight of an input, or of a unit, that is always 1: pixel PIXELS and hidden unit HIDDEN. More inputs and units pad vectors
// and warps. They are 0, and so are their weights. The names are Nielsen's; delta includes eta/m. Every sum has a fixed order, so the same
// arguments give the same bits.
//
// Compiled after hardware.cuh, clocks.cuh, sigmoid.cuh, warp.cuh and lookahead_*.cuh. The host defines REAL, PIXELS, HIDDEN, OUTPUTS,
// EXAMPLES (of a mini-batch), BLOCKS (of the cluster), THREADS (of a block), LEAD and SHARED_BYTES.

// images (n, INPUTS), 1 at PIXELS and 0 after it; order (n): the order of the examples; records (steps)
// w1 (HIDDEN, PIXELS), b1 (HIDDEN), w2 (OUTPUTS, HIDDEN), b2 (OUTPUTS): trained in place
// rate, last_rate: eta/m of all mini-batches except for the last one, and of the last one
__global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 1)
    epoch(const Real* __restrict__ images, const int* __restrict__ order, const Record* __restrict__ records, Real* w1, Real* b1, Real* w2,
          Real* b2, int n, Real rate, Real last_rate) {
    if (blockIdx.x == 0)
        conduct(records, w2, b2, n, rate, last_rate);
    else
        work(images, order, records, w1, b1, n);
    // The end needs no barrier: a block receives all its messages before it returns.
}
