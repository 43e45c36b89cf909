"""The loop again, an example at a time, compiled by Numba: one function is the epoch.

As in loop.py, an example is fed forward, its error is sent back, and its gradient is added up. What makes it fast:

- It walks the pixels that are not zero, a fifth of MNIST's: the others add exactly nothing, neither to z nor to a gradient.
- Weights lie in memory hidden unit by hidden unit, LANES of them side by side, so that one pixel times one vector of weights
  is one instruction, no sum is ever taken across a vector, and what is accumulated stays in registers.
- The gradient goes straight into the weights, when all deltas of the mini-batch are known.

On one Sapphire Rapids core `nielsen` takes 0.22 of JAX's time and 0.24 of `matrix`'s (results/intel-xeon-2-core/versus.md).
That is about what the dense products would need at the core's best rate, and five times what those on the pixels that are not 0 would:
for each of these two vectors of weights come from the second-level cache, and in the step go back to it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from impls import aligned
from impls.compiled_epoch import UNROLLED, parallel, serial
from impls.dataset import Dataset
from impls.network import Array, Network
from impls.simd import LANES
from impls.trainer import Order, Trainer

_FEW = 16  # examples whose errors go into the weights one by one, in a narrow network, whose steps are not small
_WORTH_A_THREAD = 1 << 22  # multiplications a step


class Examples(NamedTuple):
    """The examples: lists of their non-zero pixels end to end, where each list starts, labels, and the desired output for every label."""

    starts: Array  # (n + 1,)
    pixels: Array  # numbers of pixels
    values: Array
    labels: Array  # (n,)
    y: Array  # (n_L, p_L)


class Parameters(NamedTuple):
    """Weights and biases of each layer, and the transposes of the weights."""

    w: tuple[Array, ...]  # (p_l/LANES, n_{l-1}, LANES)
    w_transposed: tuple[Array, ...]  # (p_{l-1}/LANES, n_l, LANES)
    b: tuple[Array, ...]  # (p_l,)


class Buffers(NamedTuple):
    """What a step works in. `zeros` are in place of biases where none are added."""

    zeros: Array  # (max p_l,)
    nabla_w: Array  # as w_1, if its gradient is summed by itself first
    a: tuple[Array, ...]  # (p_l/LANES, m, LANES)
    delta: tuple[Array, ...]  # likewise


class Compiled(Trainer):
    """Trains in compiled code on the host. The images are kept as lists of their non-zero pixels.

    Units are padded with dead ones to whole vectors, p_l for n_l. "Tiles" are LANES neighbouring units: an activation a_l lies in
    memory as (p_l/LANES, m, LANES), weights w_l as (p_l/LANES, n_{l-1}, LANES), and their transposes, which send errors back, as
    (p_{l-1}/LANES, n_l, LANES). What is dead has weights 0 and errors 0 and stays so.
    """

    library = "numba"
    skips_zeros = True

    def _setup(self, data: Dataset) -> None:
        self._padded = padded = [-(-n // LANES) * LANES for n in self.layers[1:]]
        self._m = m = min(self.batch_size, self.examples)
        # A dead output is sigmoid(0) = 1/2, so that is what it should be, and its error is 0.
        y = np.full((self.layers[-1], padded[-1]), 0.5, self.dtype)
        y[:, : self.layers[-1]] = np.eye(self.layers[-1])
        self._data = Examples(*_non_zero(data.images.astype(self.dtype)), data.labels.astype(np.int64), y)
        w = tuple(aligned.zeros((p // LANES, below, LANES), self.dtype) for below, p in zip(self.layers, padded, strict=False))
        w_transposed = tuple(
            aligned.zeros((p // LANES, n, LANES), self.dtype) for p, n in zip([LANES, *padded], self.layers[1:], strict=False)
        )
        self._parameters = Parameters(w, w_transposed, tuple(aligned.zeros((p,), self.dtype) for p in padded))
        self._separate_gradient = m > _FEW or padded[0] > LANES
        self._buffers = Buffers(
            aligned.zeros((max(padded),), self.dtype),
            aligned.zeros(w[0].shape if self._separate_gradient else (1, 1, LANES), self.dtype),
            *(tuple(aligned.empty((p // LANES, m, LANES), self.dtype) for p in padded) for _ in ("a", "delta")),
        )
        work = sum(below * p for below, p in zip(self.layers, padded, strict=False)) * m
        self._parts = numba.get_num_threads() if work >= _WORTH_A_THREAD else 1
        self._train = parallel if self._parts > 1 else serial
        self._run(np.empty(0, np.int64))  # compiles, or finds what was compiled before

    def _set_weights(self, network: Network) -> None:
        for mine, w in zip(self._parameters.w, network.weights, strict=True):
            mine[...] = _tiled(w.T)
        for mine, w in zip(self._parameters.w_transposed[1:], network.weights[1:], strict=True):
            mine[...] = _tiled(w)
        for mine, b in zip(self._parameters.b, network.biases, strict=True):
            mine[: len(b)] = b[:, 0]

    def network(self) -> Network:
        weights = [np.concatenate(tuple(w), axis=1)[:, :n].T for w, n in zip(self._parameters.w, self.layers[1:], strict=True)]
        return Network(weights, [b[:n, np.newaxis] for b, n in zip(self._parameters.b, self.layers[1:], strict=True)])

    def _epoch(self, order: Order) -> None:
        self._run(order.astype(np.int64))

    def _run(self, order: Any) -> None:
        eta = self.dtype.type(self.learning_rate)
        self._train(self._parts, self._separate_gradient, order, self._m, eta, self._data, self._parameters, self._buffers)


def _non_zero(images: Array) -> tuple[Any, Array, Array]:
    """Return where each image's list starts, (n + 1,), and all lists end to end: pixel numbers and their values.

    A list is filled up with pixels of value 0 to a multiple of UNROLLED.
    """
    lengths = np.count_nonzero(images, axis=1)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // UNROLLED) * UNROLLED)])
    image, pixel = np.nonzero(images)
    position = starts[image] + np.arange(len(image)) - np.concatenate([[0], np.cumsum(lengths)])[image]
    pixels, values = np.zeros(starts[-1], np.min_scalar_type(images.shape[1])), np.zeros(starts[-1], images.dtype)
    pixels[position], values[position] = pixel, images[image, pixel]
    return starts, pixels, values


def _tiled(w: Array) -> Array:
    """Return (n, k) as (p/LANES, n, LANES), with columns of zeros up to p."""
    padded = np.pad(w, ((0, 0), (0, -w.shape[1] % LANES)))
    return np.ascontiguousarray(padded.reshape(len(w), -1, LANES).transpose(1, 0, 2))
