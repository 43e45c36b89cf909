"""A trainer in MLX, Apple's array library: the gradient from `mx.grad`, and a step as one compiled function."""

from __future__ import annotations

import os
import platform
from functools import partial
from itertools import pairwise
from typing import Any

# By default MLX uses TF32 for products of float32 on the GPUs that have it.
os.environ.setdefault("MLX_ENABLE_TF32", "0")

import mlx.core as mx
import numpy as np

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.network import Network
from impls.trainer import Order, Trainer

_ON_GPU = mx.default_device().type == mx.DeviceType.gpu


class Mlx(Trainer):
    """Runs on MLX's default device: the GPU of a Mac, or the CPU. MLX is lazy, so each step is started when it is recorded."""

    library = "mlx.core"
    device = "gpu" if _ON_GPU else "cpu"

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        if not _ON_GPU:
            return None
        name = str(mx.device_info().get("device_name", "GPU"))
        return (
            Accelerator(name, "Apple", "integrated", "Metal", f"macOS {platform.mac_ver()[0]}")
            if mx.metal.is_available()
            else Accelerator(name)
        )

    def _setup(self, data: Dataset) -> None:
        if _ON_GPU and self.dtype == np.float64:
            raise Unsupported("MLX on a GPU: no float64; give --dtype float32")
        self._x, self._y = (
            self._array(data.images.astype(self.dtype)),
            self._array(data.one_hot(self.layers[-1], self.dtype)),
        )  # (n, n_0), (n, n_L)
        self._step = mx.compile(partial(_step, learning_rate=self.learning_rate))
        self._parameters = [self._array(np.zeros(shape, self.dtype)) for below, n in pairwise(self.layers) for shape in ((n, below), (n,))]
        for m in {min(self.batch_size, self.examples), self.examples % self.batch_size} - {0}:
            mx.eval(self._step(self._parameters, self._x, self._y, mx.arange(m)))

    def _set_weights(self, network: Network) -> None:
        pairs = zip(network.weights, network.biases, strict=True)
        self._parameters = [self._array(p) for w, b in pairs for p in (w, b[:, 0])]

    def network(self) -> Network:
        w, b = ([np.array(p) for p in ps] for ps in (self._parameters[::2], self._parameters[1::2]))
        return Network(w, [each[:, np.newaxis] for each in b])

    def _epoch(self, order: Order) -> None:
        examples = mx.array(order.astype(np.int32))
        for start in range(0, self.examples, self.batch_size):
            self._parameters = self._step(self._parameters, self._x, self._y, examples[start : start + self.batch_size])
            mx.async_eval(self._parameters)

    def _synchronize(self) -> None:
        mx.eval(self._parameters, self._x, self._y)
        mx.synchronize()

    def _array(self, values: Any) -> mx.array:
        return mx.array(values, {"float32": mx.float32, "float64": mx.float64}[self.dtype.name])


def _step(parameters: list[mx.array], x: mx.array, y: mx.array, examples: mx.array, *, learning_rate: float) -> list[mx.array]:
    """Return the parameters w_1, b_1, w_2, b_2, ... after a step down the gradient of the cost of these examples."""
    nabla = mx.grad(_cost)(parameters, x[examples], y[examples])
    return [p - learning_rate * n for p, n in zip(parameters, nabla, strict=True)]


def _cost(parameters: list[mx.array], x: mx.array, y: mx.array) -> mx.array:
    """Return the quadratic cost C = 1/(2m) sum |a_L - y|^2 of m examples."""
    a = x
    for w, b in zip(parameters[::2], parameters[1::2], strict=True):
        a = 0.5 * mx.tanh(0.5 * (a @ w.T + b)) + 0.5  # (m, n_l); in float64 mx.sigmoid has errors of 2e-6 on a CPU, MLX 0.32
    return mx.sum((a - y) ** 2) / (2 * len(x))
