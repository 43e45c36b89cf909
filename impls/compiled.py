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

import hashlib
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, prange

from impls import aligned, simd
from impls.aligned import LINE
from impls.dataset import Dataset
from impls.network import Array, Network
from impls.simd import LANES, add, difference_times, fetch, fma, load, number, sigmoid, store, times_sigmoid_prime, zero
from impls.trainer import Order, Trainer

_UNROLLED = 4  # pixels, examples or rows that are worked on at once, to hide how long an addition takes
_FEW = 16  # examples whose errors go into the weights one by one, in a narrow network, whose steps are not small
_AHEAD = 10  # examples
_BLOCK = 32  # examples, or rows, that make a task
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
        self._train = _parallel if self._parts > 1 else _serial
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

    A list is filled up with pixels of value 0 to a multiple of _UNROLLED.
    """
    lengths = np.count_nonzero(images, axis=1)
    starts = np.concatenate([[0], np.cumsum(-(-lengths // _UNROLLED) * _UNROLLED)])
    image, pixel = np.nonzero(images)
    position = starts[image] + np.arange(len(image)) - np.concatenate([[0], np.cumsum(lengths)])[image]
    pixels, values = np.zeros(starts[-1], np.min_scalar_type(images.shape[1])), np.zeros(starts[-1], images.dtype)
    pixels[position], values[position] = pixel, images[image, pixel]
    return starts, pixels, values


def _tiled(w: Array) -> Array:
    """Return (n, k) as (p/LANES, n, LANES), with columns of zeros up to p."""
    padded = np.pad(w, ((0, 0), (0, -w.shape[1] % LANES)))
    return np.ascontiguousarray(padded.reshape(len(w), -1, LANES).transpose(1, 0, 2))


# --- compiled. Of each function's tasks, part number `part` of `parts` is done: a thread's share, or all of them (0 of 1) ----------------


@njit
def _fetch_list(example, starts, pixels, values):
    """Have an example's list brought from memory: shuffled, no processor foresees which is next."""
    for k in range(starts[example], starts[example + 1], LINE // values.itemsize):
        fetch(values, k)
    for k in range(starts[example], starts[example + 1], LINE // pixels.itemsize):
        fetch(pixels, k)


@njit
def _feed_pixels(part, parts, order, first, size, starts, pixels, values, w, b, a):
    """a_1 = sigmoid(w_1 x + b_1) for the next `size` examples in the order, x given as its non-zero pixels."""
    tiles, n_0, m = w.shape[0], w.shape[1], a.shape[1]
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        row = tile * n_0
        for e in range(size):
            example = order[first + e]
            if tile == part * tiles // parts:
                _fetch_list(order[min(first + e + _AHEAD, len(order) - 1)], starts, pixels, values)
            z0, z1, z2, z3 = load(b, tile * LANES), zero(b), zero(b), zero(b)
            for k in range(starts[example], starts[example + 1], _UNROLLED):
                z0 = fma(number(values, k), load(w, (row + number(pixels, k)) * LANES), z0)
                z1 = fma(number(values, k + 1), load(w, (row + number(pixels, k + 1)) * LANES), z1)
                z2 = fma(number(values, k + 2), load(w, (row + number(pixels, k + 2)) * LANES), z2)
                z3 = fma(number(values, k + 3), load(w, (row + number(pixels, k + 3)) * LANES), z3)
            store(a, (tile * m + e) * LANES, sigmoid(add(add(z0, z1), add(z2, z3))))


@njit
def _step_pixels(part, parts, examples, starts, pixels, values, delta, w, b):
    """w_1 -> w_1 + delta_1 x^T and b_1 -> b_1 + delta_1 (BP4, BP3), example after example; w: weights, or where to sum their step."""
    tiles, n_0, m = w.shape[0], w.shape[1], delta.shape[1]
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        row, nabla_b = tile * n_0, zero(b)
        for e, example in enumerate(examples):
            error = load(delta, (tile * m + e) * LANES)
            nabla_b = add(nabla_b, error)
            for k in range(starts[example], starts[example + 1]):
                at = (row + number(pixels, k)) * LANES
                store(w, at, fma(number(values, k), error, load(w, at)))
        store(b, tile * LANES, add(load(b, tile * LANES), nabla_b))  # summed by itself first: next to b each error is tiny


@njit
def _move(part, parts, nabla_w, w):
    """w -> w + nabla_w, nabla_w -> 0."""
    tiles = w.shape[0]
    for at in range(part * tiles // parts * w.shape[1], (part + 1) * tiles // parts * w.shape[1]):
        store(w, at * LANES, add(load(w, at * LANES), load(nabla_w, at * LANES)))
        store(nabla_w, at * LANES, zero(w))


@njit
def _multiply(part, parts, size, x, w, b, out):
    """out = w x + b for `size` examples, _UNROLLED of them at once, so that a vector of weights is used so often. Out, x: tiles."""
    tiles, inputs, m = w.shape[0], w.shape[1], x.shape[1]
    blocks = -(-size // _BLOCK)
    for task in range(part * tiles * blocks // parts, (part + 1) * tiles * blocks // parts):
        tile, begin = task // blocks, task % blocks * _BLOCK
        end = min(begin + _BLOCK, size)
        for e0 in range(begin, end, _UNROLLED):
            e1, e2, e3 = min(e0 + 1, end - 1), min(e0 + 2, end - 1), min(e0 + 3, end - 1)  # at the end, one may be done twice
            z0 = z1 = z2 = z3 = load(b, tile * LANES)
            for begin_j in range(0, inputs, LANES):
                row, x0 = tile * inputs + begin_j, begin_j * m
                for j in range(min(LANES, inputs - begin_j)):
                    weights = load(w, (row + j) * LANES)
                    z0 = fma(number(x, x0 + e0 * LANES + j), weights, z0)
                    z1 = fma(number(x, x0 + e1 * LANES + j), weights, z1)
                    z2 = fma(number(x, x0 + e2 * LANES + j), weights, z2)
                    z3 = fma(number(x, x0 + e3 * LANES + j), weights, z3)
            at = tile * m * LANES
            store(out, at + e0 * LANES, z0)
            store(out, at + e1 * LANES, z1)
            store(out, at + e2 * LANES, z2)
            store(out, at + e3 * LANES, z3)


@njit
def _step(part, parts, size, a, delta, w, b, w_transposed):
    """w -> w + delta a^T and b -> b + delta (BP4, BP3), and the transpose with it; _UNROLLED rows at once."""
    tiles, inputs, m = w.shape[0], w.shape[1], a.shape[1]
    blocks = -(-inputs // LANES)
    for task in range(part * tiles * blocks // parts, (part + 1) * tiles * blocks // parts):
        tile, begin = task // blocks, task % blocks * LANES
        end = min(begin + LANES, inputs)
        for j0 in range(begin, end, _UNROLLED):
            j1, j2, j3 = min(j0 + 1, end - 1), min(j0 + 2, end - 1), min(j0 + 3, end - 1)
            row = tile * inputs
            w0, w1, w2, w3 = (load(w, (row + j0) * LANES), load(w, (row + j1) * LANES), load(w, (row + j2) * LANES),
                              load(w, (row + j3) * LANES))  # fmt: skip
            for e in range(size):
                error, at = load(delta, (tile * m + e) * LANES), begin * m + e * LANES
                w0 = fma(number(a, at + j0 - begin), error, w0)
                w1 = fma(number(a, at + j1 - begin), error, w1)
                w2 = fma(number(a, at + j2 - begin), error, w2)
                w3 = fma(number(a, at + j3 - begin), error, w3)
            store(w, (row + j0) * LANES, w0)
            store(w, (row + j1) * LANES, w1)
            store(w, (row + j2) * LANES, w2)
            store(w, (row + j3) * LANES, w3)
            for j in range(j0, j3 + 1):
                for lane in range(min(LANES, w_transposed.shape[1] - tile * LANES)):
                    w_transposed[j // LANES, tile * LANES + lane, j % LANES] = w[tile, j, lane]
        if begin == 0:
            nabla_b = zero(b)
            for e in range(size):
                nabla_b = add(nabla_b, load(delta, (tile * m + e) * LANES))
            store(b, tile * LANES, add(load(b, tile * LANES), nabla_b))


@njit
def _activate(size, z):
    """z -> sigmoid(z)."""
    for tile in range(z.shape[0]):
        for e in range(size):
            at = (tile * z.shape[1] + e) * LANES
            store(z, at, sigmoid(load(z, at)))


@njit
def _through_sigmoid(size, delta, a):
    """delta -> delta sigmoid'(z)."""
    for tile in range(a.shape[0]):
        for e in range(size):
            at = (tile * a.shape[1] + e) * LANES
            store(delta, at, times_sigmoid_prime(load(delta, at), load(a, at)))


@njit
def _output_error(examples, labels, y, step, a, delta):
    """delta_L = step (a_L - y) sigmoid'(z_L) (BP1); step is -eta/m, and all that is linear in it follows."""
    for tile in range(a.shape[0]):
        for e, example in enumerate(examples):
            at = (tile * a.shape[1] + e) * LANES
            desired = load(y, labels[example] * y.shape[1] + tile * LANES)
            store(delta, at, times_sigmoid_prime(difference_times(step, load(a, at), desired), load(a, at)))


def _epoch(parts, separate_gradient, order, m, eta, data, parameters, buffers):
    starts, pixels, values, labels, y = data
    w, w_transposed, b = parameters
    zeros, nabla_w, a, delta = buffers
    last = len(w) - 1
    for first in range(0, len(order), m):
        examples = order[first : first + m]
        size = len(examples)
        for part in prange(parts):
            _feed_pixels(part, parts, order, first, size, starts, pixels, values, w[0], b[0], a[0])
        for layer in range(1, len(w)):
            for part in prange(parts):
                _multiply(part, parts, size, a[layer - 1], w[layer], b[layer], a[layer])
            _activate(size, a[layer])
        _output_error(examples, labels, y, -eta / size, a[last], delta[last])
        for layer in range(last, 0, -1):
            for part in prange(parts):
                _multiply(part, parts, size, delta[layer], w_transposed[layer], zeros, delta[layer - 1])  # BP2
            _through_sigmoid(size, delta[layer - 1], a[layer - 1])
            for part in prange(parts):
                _step(part, parts, size, a[layer - 1], delta[layer], w[layer], b[layer], w_transposed[layer])
        # Next to a weight the errors of many examples are tiny, and float32 would lose them: then they are summed by themselves first.
        into = nabla_w if separate_gradient else w[0]
        for part in prange(parts):
            _step_pixels(part, parts, examples, starts, pixels, values, delta[0], into, b[0])
        if separate_gradient:
            for part in prange(parts):
                _move(part, parts, nabla_w, w[0])


def _compiled(name: str, *, parallel: bool) -> Any:
    """Return the epoch compiled, under a name by which Numba's cache tells the two apart, and from those of other versions.

    The cache looks at this file alone; so what it imports is part of the name.
    """
    imported = b"".join(Path(module.__file__ or "").read_bytes() for module in (simd, aligned))
    name = f"{name}_{hashlib.sha256(imported).hexdigest()[:8]}"
    function = FunctionType(_epoch.__code__, globals(), name)
    function.__qualname__ = name
    return njit(cache=True, parallel=parallel, error_model="numpy")(function)


_serial, _parallel = _compiled("_serial", parallel=False), _compiled("_parallel", parallel=True)
