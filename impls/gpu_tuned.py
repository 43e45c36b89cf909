"""The matrix trainer on a GPU: the same lines with CuPy for NumPy, and each chain of elementwise operations in one kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.matrix_tuned import MatrixTuned, Operation, Slabs

try:
    import cupy
except ImportError:  # an extra; `unavailable` tells the user
    cupy = None


class GpuTuned(MatrixTuned):
    """`MatrixTuned` with every array in the memory of CuPy's current device. float32 stays float32 (TF32 is CuPy's opt-in).

    A step of a small network costs its launches, not its arithmetic: so what `MatrixTuned` spells as several array operations is here
    one kernel each, written as one assignment over elements of type T.
    """

    xp = cupy
    library = "cupy"
    device = "gpu"
    cache = 1 << 28  # so that few gathers are launched

    @classmethod
    def unavailable(cls) -> str | None:
        if cupy is None:
            return "CuPy is not installed: pip install '.[gpu]' (CUDA 13) or '.[gpu-cuda12]'"
        if not cupy.cuda.is_available():
            return "CuPy finds no CUDA device: `nvidia-smi` must list one, with a driver for CuPy's CUDA version"
        return None

    def _setup(self, data: Dataset) -> None:
        kernel = self.xp.ElementwiseKernel
        self._activate_kernel = kernel("T z", "T a", "a = T(0.5) * tanh(T(0.5) * z) + T(0.5)", "activate")
        self._cost_derivative_kernel = kernel("T a, T y, T rate", "T delta", "delta = (a - y) * rate", "cost_derivative")
        self._sigmoid_prime_kernel = kernel("T above, T a", "T delta", "delta = above * (a * (T(1) - a))", "times_sigmoid_prime")
        super()._setup(data)
        # A step of each size compiles every kernel and wakes cuBLAS, so that no epoch pays for it. `load` then sets the weights.
        self._parameters[...] = 0
        for m in self._batches:
            self._epoch(np.arange(m))

    def _activate(self, z: Any) -> Iterator[Operation]:
        yield self._activate_kernel, (z, z)

    def _cost_derivative(self, a: Any, y: Any, rate: Any, delta: Any) -> Iterator[Operation]:
        yield self._cost_derivative_kernel, (a, y, rate, delta)

    def _times_sigmoid_prime(self, delta: Any, a: Any, work: Any) -> Iterator[Operation]:
        yield self._sigmoid_prime_kernel, (delta, a, delta)

    def _slabs(self, a: Any, delta: Any) -> Slabs:
        return [(a, delta, None)]  # a kernel passes over a layer once, and needs no work array

    def _synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def _empty(self, *shape: int) -> Any:
        return self.xp.empty(shape, self.dtype)  # starts on a multiple of 512 bytes

    def _gather(self, rows: Any, examples: Any, out: Any) -> None:
        self.xp.take(rows, examples, axis=0, out=out)

    def _to_host(self, array: Any) -> Any:
        return self.xp.asnumpy(array)
