"""matrix_tuned.py on a GPU: CuPy in place of NumPy, and each chain of elementwise operations in one kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.matrix_tuned import MatrixTuned
from impls.on_gpu import OnGpu
from impls.tape import Tape


class GpuTuned(OnGpu, MatrixTuned):
    """`MatrixTuned` with `xp = cupy`.

    A step of a small network costs its launches, not its arithmetic. So each chain of elementwise operations is one kernel here,
    written as one assignment over elements of type T.
    """

    cache = 1 << 28  # so that few gathers are launched

    def _setup(self, data: Dataset) -> None:
        kernel = self.xp.ElementwiseKernel
        self._sigmoid_kernel = kernel("T z", "T a", "a = T(0.5) * tanh(T(0.5) * z) + T(0.5)", "sigmoid")
        self._cost_derivative_kernel = kernel("T a, T y, T rate", "T delta", "delta = (a - y) * rate", "cost_derivative")
        self._sigmoid_prime_kernel = kernel("T above, T a", "T delta", "delta = above * (a * (T(1) - a))", "times_sigmoid_prime")
        super()._setup(data)
        # A step of each size compiles every kernel and initialises cuBLAS before the first epoch. `load` then sets the weights.
        self._parameters.flat[...] = 0
        for m in self._batches:
            self._epoch(np.arange(m))

    def _sigmoid(self, xp: Tape, z: Any) -> None:
        xp.note(self._sigmoid_kernel, z, z)

    def _cost_derivative(self, xp: Tape, a: Any, y: Any, rate: Any, out: Any) -> None:
        xp.note(self._cost_derivative_kernel, a, y, rate, out)

    def _times_sigmoid_prime(self, xp: Tape, delta: Any, a: Any) -> None:
        xp.note(self._sigmoid_prime_kernel, delta, a, delta)

    def _empty(self, *shape: int) -> Any:
        return self.xp.empty(shape, self.dtype)  # starts on a multiple of 512 bytes

    def _gather(self, rows: Any, examples: Any, out: Any) -> None:
        self.xp.take(rows, examples, axis=0, out=out)
