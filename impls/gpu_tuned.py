"""matrix_tuned.py on a GPU: CuPy in place of NumPy, and each chain of elementwise operations in one kernel."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.flat_parameters import FlatParameters
from impls.matrix_tuned import Layers, MatrixTuned
from impls.on_gpu import OnGpu
from impls.tape import Tape

_BLOCK = 256  # threads of a block of an elementwise kernel; with CuPy's 128, a GPU starts blocks more slowly than they finish


class GpuTuned(OnGpu, MatrixTuned):
    """`MatrixTuned` with `xp = cupy`.

    A step of a small network costs its launches, not its arithmetic. So each chain of elementwise operations is one kernel here,
    written as one assignment over elements of type T. Such a kernel can add a bias at no cost, so there is no padding.
    Shapes: a_l, z_l, delta_l (m, n_l); w_l, nabla_w_l (n_l, n_{l-1}); b_l, nabla_b_l (1, n_l).
    """

    cache = 1 << 28  # so that few gathers are launched
    _layout = FlatParameters

    def _setup(self, data: Dataset) -> None:
        self._activation = self._kernel("sigmoid", "T z, T b", "a = T(0.5) * tanh(T(0.5) * (z + b)) + T(0.5)")
        self._output_delta = self._kernel("output_delta", "T a, T y, T rate", "delta = rate * (a - y) * (a * (T(1) - a))")
        self._hidden_delta = self._kernel("hidden_delta", "T above, T a", "delta = above * (a * (T(1) - a))")
        self._descent = self._kernel("descent", "T w, T nabla", "descended = w - nabla")
        self._ones = self.xp.asarray(np.ones((1, self.batch_size), self.dtype))
        super()._setup(data)
        # A step of each size compiles every kernel and initialises cuBLAS before the first epoch. `load` then sets the weights.
        self._parameters.flat[...] = 0
        for m in self._batches:
            self._epoch(np.arange(m))

    def _update_mini_batch(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        self._backprop(xp, x, y, layers)
        xp.record(self._descent, self._parameters.flat, self._gradient.flat, self._parameters.flat)

    def _backprop(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        """Fill the gradient of eta/m sum C_x."""
        w, b, nabla_w, nabla_b = self._parameters.w, self._parameters.b, self._gradient.w, self._gradient.b
        a, delta, ones = [x, *layers.a], [None, *layers.delta], self._ones[:, : len(x)]
        for layer in range(len(w)):
            xp.dot(a[layer], w[layer].T, out=a[layer + 1])
            xp.record(self._activation, a[layer + 1], b[layer], a[layer + 1])
        xp.record(self._output_delta, a[-1], y, layers.rate, delta[-1])  # BP1
        for layer in range(len(w), 0, -1):
            xp.dot(delta[layer].T, a[layer - 1], out=nabla_w[layer - 1])  # BP4, summed over the examples
            xp.dot(ones, delta[layer], out=nabla_b[layer - 1])  # BP3, likewise
            if layer > 1:
                xp.dot(delta[layer], w[layer - 1], out=delta[layer - 1])
                xp.record(self._hidden_delta, delta[layer - 1], a[layer - 1], delta[layer - 1])  # BP2

    def _kernel(self, name: str, arguments: str, assignment: str) -> Any:
        """Return a function of these arguments and of the array that the assignment changes."""
        result = "T " + assignment.split(" = ")[0]
        return partial(self.xp.ElementwiseKernel(arguments, result, assignment, name), block_size=_BLOCK)

    def _empty(self, *shape: int) -> Any:
        return self.xp.empty(shape, self.dtype)  # starts on a multiple of 512 bytes

    def _gather(self, rows: Any, examples: Any, out: Any) -> None:
        self.xp.take(rows, examples, axis=0, out=out)
