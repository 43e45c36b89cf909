"""The loop of loop.py, one example at a time, compiled by Numba: one compiled function trains an epoch.

As in loop.py, each example passes forward and backward, and its gradient is added to a sum. Three things make it fast:

- It visits only the pixels that are not 0, a fifth of MNIST's. The others contribute nothing to z or to a gradient.
- The weights of LANES neighbouring hidden units are contiguous in memory. So one pixel times one vector of weights is one
  instruction, no sum runs across a vector, and the partial sums stay in registers.
- The step adds the gradient directly to the weights, after it has computed all deltas of the mini-batch.

On one core of an AMD EPYC, `nielsen` takes 0.22 of the time of JAX and 0.25 of the time of `matrix_tuned`
(results/amd-epyc-zen5-2-core/versus.md).
The dense products would take about as long at the core's peak rate; the products of the pixels that are not 0 would take a fifth of that.
The rest is memory traffic: each pixel reads two vectors of weights from the second-level cache, and the step writes them back.
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

_FEW = 16  # examples: up to this many, a narrow network adds each gradient directly to its weights, because its steps are not small
_WORTH_A_THREAD = 1 << 22  # multiplications in a step; for fewer, threads cost more time than they save


class Examples(NamedTuple):
    """The examples as concatenated lists of non-zero pixels, the start of each list, the labels, and the desired output for each label."""

    starts: Array  # (n + 1,)
    pixels: Array  # indices
    values: Array
    labels: Array  # (n,)
    y: Array  # (n_L, p_L)


class Parameters(NamedTuple):
    """The weights and biases of each layer, and the transposed weights."""

    w: tuple[Array, ...]  # (p_l/LANES, n_{l-1}, LANES)
    w_transposed: tuple[Array, ...]  # (p_{l-1}/LANES, n_l, LANES)
    b: tuple[Array, ...]  # (p_l,)


class Buffers(NamedTuple):
    """The work arrays of a step. `zeros` replaces the biases in a product without biases."""

    zeros: Array  # (max p_l,)
    nabla_w: Array  # the shape of w_1, if the gradient is summed separately first
    a: tuple[Array, ...]  # (p_l/LANES, m, LANES)
    delta: tuple[Array, ...]  # (p_l/LANES, m, LANES)


class Compiled(Trainer):
    """Trains in compiled code on the host, on images stored as lists of their non-zero pixels.

    Each layer is padded from n_l to p_l units, a multiple of LANES. A tile is LANES neighbouring units. Shapes of the arrays:
    activations a_l (p_l/LANES, m, LANES); weights w_l (p_l/LANES, n_{l-1}, LANES); the transposed weights of the backward pass
    (p_{l-1}/LANES, n_l, LANES). The padding has weights 0 and errors 0, and the steps do not change it.
    """

    library = "numba"
    skips_zeros = True

    @classmethod
    def unavailable(cls) -> str | None:
        return "Numba: NUMBA_DISABLE_JIT turns off compilation; unset it" if numba.config.DISABLE_JIT else None

    def _setup(self, data: Dataset) -> None:
        self._padded = padded = [-(-n // LANES) * LANES for n in self.layers[1:]]
        self._m = m = min(self.batch_size, self.examples)
        # A padded output is sigmoid(0) = 1/2. With 1/2 as the desired value, its error is 0.
        y = np.full((self.layers[-1], padded[-1]), 0.5, self.dtype)
        y[:, : self.layers[-1]] = np.eye(self.layers[-1])
        self._data = self._sparse = Examples(*_lists(data.images.astype(self.dtype)), data.labels.astype(np.int64), y)
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
        self._run(np.empty(0, np.int64))  # compiles, or loads the function from Numba's cache

    def _set_weights(self, network: Network) -> None:
        # 0 times NaN or infinity is NaN, so with such a weight the pixels of value 0 contribute, too.
        finite = bool(np.isfinite(network.weights[0]).all())
        self._data = self._sparse if finite else self._sparse._replace(**_with_zeros(self._sparse, self.layers[0]))
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


def _lists(images: Array, listed: Any = None) -> tuple[Any, Array, Array]:
    """Return the start of each image's list, (n + 1,), then the pixel indices and the pixel values of all lists, concatenated.

    listed  which pixels are in the lists, (n, n_0) truth values; None: those that are not 0
    Pixels of value 0 pad each list to a multiple of UNROLLED.
    """
    listed = images if listed is None else listed
    lengths = np.count_nonzero(listed, axis=1)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // UNROLLED) * UNROLLED)])
    image, pixel = np.nonzero(listed)
    position = starts[image] + np.arange(len(image)) - np.concatenate([[0], np.cumsum(lengths)])[image]
    pixels, values = np.zeros(starts[-1], np.min_scalar_type(images.shape[1])), np.zeros(starts[-1], images.dtype)
    pixels[position], values[position] = pixel, images[image, pixel]
    return starts, pixels, values


def _with_zeros(sparse: Examples, pixels: int) -> dict[str, Any]:
    """Return the lists of all pixels, as fields of Examples."""
    images = np.zeros((len(sparse.labels), pixels), sparse.values.dtype)
    image, used = np.repeat(np.arange(len(images)), np.diff(sparse.starts).astype(np.int64)), sparse.values != 0  # not the padding
    images[image[used], sparse.pixels[used]] = sparse.values[used]
    return dict(zip(("starts", "pixels", "values"), _lists(images, np.ones(images.shape, np.bool_)), strict=True))


def _tiled(w: Array) -> Array:
    """Return w, (n, k), as tiles, (p/LANES, n, LANES). Columns of zeros pad k to p, a multiple of LANES."""
    padded = np.pad(w, ((0, 0), (0, -w.shape[1] % LANES)))
    return np.ascontiguousarray(padded.reshape(len(w), -1, LANES).transpose(1, 0, 2))
