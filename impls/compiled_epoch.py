"""The epoch of the trainer `compiled`, compiled by Numba. compiled.py documents the layout of the arrays.

Several functions take `part` and `parts`: they do that part of their tasks, which is one thread's share, or all tasks (part 0 of 1).
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import FunctionType
from typing import Any

from numba import njit, prange

from impls import aligned, simd
from impls.aligned import LINE
from impls.simd import LANES, add, difference_times, fetch, fma, load, number, sigmoid, store, times_sigmoid_prime, zero

UNROLLED = 4  # pixels, examples or rows that a loop processes at once, to hide the latency of an addition
_AHEAD = 10  # examples between a prefetch and its use
_BLOCK = 32  # examples of a task


@njit
def _fetch_list(example, starts, pixels, values):
    """Prefetch an example's list. The order is shuffled, so the processor cannot predict the next example."""
    for k in range(starts[example], starts[example + 1], LINE // values.itemsize):
        fetch(values, k)
    for k in range(starts[example], starts[example + 1], LINE // pixels.itemsize):
        fetch(pixels, k)


@njit
def _feed_pixels(part, parts, order, first, size, starts, pixels, values, w, b, a):
    """Compute a_1 = sigmoid(w_1 x + b_1) for the next `size` examples in the order, with x as a list of non-zero pixels."""
    tiles, n_0, m = w.shape[0], w.shape[1], a.shape[1]
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        row = tile * n_0
        for e in range(size):
            example = order[first + e]
            if tile == part * tiles // parts:
                _fetch_list(order[min(first + e + _AHEAD, len(order) - 1)], starts, pixels, values)
            z0, z1, z2, z3 = load(b, tile * LANES), zero(b), zero(b), zero(b)
            for k in range(starts[example], starts[example + 1], UNROLLED):
                z0 = fma(number(values, k), load(w, (row + number(pixels, k)) * LANES), z0)
                z1 = fma(number(values, k + 1), load(w, (row + number(pixels, k + 1)) * LANES), z1)
                z2 = fma(number(values, k + 2), load(w, (row + number(pixels, k + 2)) * LANES), z2)
                z3 = fma(number(values, k + 3), load(w, (row + number(pixels, k + 3)) * LANES), z3)
            store(a, (tile * m + e) * LANES, sigmoid(add(add(z0, z1), add(z2, z3))))


@njit
def _step_pixels(part, parts, examples, starts, pixels, values, delta, w, b):
    """Add delta_1 x^T to w and delta_1 to b_1 (BP4, BP3), one example at a time; w is w_1, or the array that sums its step."""
    tiles, n_0, m = w.shape[0], w.shape[1], delta.shape[1]
    for tile in range(part * tiles // parts, (part + 1) * tiles // parts):
        row, nabla_b = tile * n_0, zero(b)
        for e, example in enumerate(examples):
            error = load(delta, (tile * m + e) * LANES)
            nabla_b = add(nabla_b, error)
            for k in range(starts[example], starts[example + 1]):
                at = (row + number(pixels, k)) * LANES
                store(w, at, fma(number(values, k), error, load(w, at)))
        store(b, tile * LANES, add(load(b, tile * LANES), nabla_b))  # summed separately first, as in `_step`


@njit
def _move(part, parts, nabla_w, w):
    """Add nabla_w to w, and set nabla_w to 0."""
    tiles = w.shape[0]
    for at in range(part * tiles // parts * w.shape[1], (part + 1) * tiles // parts * w.shape[1]):
        store(w, at * LANES, add(load(w, at * LANES), load(nabla_w, at * LANES)))
        store(nabla_w, at * LANES, zero(w))


@njit
def _multiply(part, parts, size, x, w, b, out):
    """Compute out = w x + b for `size` examples; out and x are tiles. Each loaded vector of weights serves UNROLLED examples."""
    tiles, inputs, m = w.shape[0], w.shape[1], x.shape[1]
    blocks = -(-size // _BLOCK)
    for task in range(part * tiles * blocks // parts, (part + 1) * tiles * blocks // parts):
        tile, begin = task // blocks, task % blocks * _BLOCK
        end = min(begin + _BLOCK, size)
        for e0 in range(begin, end, UNROLLED):
            e1, e2, e3 = min(e0 + 1, end - 1), min(e0 + 2, end - 1), min(e0 + 3, end - 1)  # at the end, repeats of the last example
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
    """Add delta a^T to w and to its transpose, and delta to b (BP4, BP3), UNROLLED rows at once.

    The examples are summed first, because each one's contribution is tiny beside a weight.
    """
    tiles, inputs, m = w.shape[0], w.shape[1], a.shape[1]
    blocks = -(-inputs // LANES)
    for task in range(part * tiles * blocks // parts, (part + 1) * tiles * blocks // parts):
        tile, begin = task // blocks, task % blocks * LANES
        end = min(begin + LANES, inputs)
        for j0 in range(begin, end, UNROLLED):
            j1, j2, j3 = min(j0 + 1, end - 1), min(j0 + 2, end - 1), min(j0 + 3, end - 1)
            row = tile * inputs
            nabla0 = nabla1 = nabla2 = nabla3 = zero(w)
            for e in range(size):
                error, at = load(delta, (tile * m + e) * LANES), begin * m + e * LANES
                nabla0 = fma(number(a, at + j0 - begin), error, nabla0)
                nabla1 = fma(number(a, at + j1 - begin), error, nabla1)
                nabla2 = fma(number(a, at + j2 - begin), error, nabla2)
                nabla3 = fma(number(a, at + j3 - begin), error, nabla3)
            w0, w1, w2, w3 = (load(w, (row + j0) * LANES), load(w, (row + j1) * LANES), load(w, (row + j2) * LANES),
                              load(w, (row + j3) * LANES))  # fmt: skip
            store(w, (row + j0) * LANES, add(w0, nabla0))
            store(w, (row + j1) * LANES, add(w1, nabla1))
            store(w, (row + j2) * LANES, add(w2, nabla2))
            store(w, (row + j3) * LANES, add(w3, nabla3))
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
    """Replace z by sigmoid(z)."""
    for tile in range(z.shape[0]):
        for e in range(size):
            at = (tile * z.shape[1] + e) * LANES
            store(z, at, sigmoid(load(z, at)))


@njit
def _through_sigmoid(size, delta, a):
    """Multiply delta by sigmoid'(z) = a (1 - a)."""
    for tile in range(a.shape[0]):
        for e in range(size):
            at = (tile * a.shape[1] + e) * LANES
            store(delta, at, times_sigmoid_prime(load(delta, at), load(a, at)))


@njit
def _output_error(examples, labels, y, step, a, delta):
    """Compute delta_L = step (a_L - y) sigmoid'(z_L) (BP1). The step is -eta/m, so all deltas and gradients include this factor."""
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
        # One example's contribution is tiny beside a weight, and float32 would round it away. So many examples are summed separately first.
        into = nabla_w if separate_gradient else w[0]
        for part in prange(parts):
            _step_pixels(part, parts, examples, starts, pixels, values, delta[0], into, b[0])
        if separate_gradient:
            for part in prange(parts):
                _move(part, parts, nabla_w, w[0])


def _compiled(name: str, *, parallel: bool) -> Any:
    """Return the compiled epoch, under a name that distinguishes both forms and other versions in Numba's cache.

    The cache checks this file alone, so the name includes a hash of the imported modules.
    """
    imported = b"".join(Path(module.__file__ or "").read_bytes() for module in (simd, aligned))
    name = f"{name}_{hashlib.sha256(imported).hexdigest()[:8]}"
    function = FunctionType(_epoch.__code__, globals(), name)
    function.__qualname__ = name
    options = {"parallel": parallel, "error_model": "numpy"}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # no writable directory for the cache (NUMBA_CACHE_DIR sets one), so each process compiles
        return njit(**options)(function)


serial, parallel = _compiled("_serial", parallel=False), _compiled("_parallel", parallel=True)
