// The activation of every layer.

__device__ inline Real sigmoid(Real z) { return reciprocal(1 + exp(-z)); }
