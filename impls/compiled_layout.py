"""The arrays of the trainer `compiled`, laid out for the registers and the caches of the processor.

A tile is some neighbouring units of a layer: their weights for one input are a vector of simd.py. Layer l is padded from n_l to p_l
units, a multiple of its tile's T_l. The padding has weights 0 and errors 0, and the steps do not change it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import llvmlite.binding
import numba
import numpy as np
import numpy.typing as npt

from impls import aligned
from impls.aligned import LINE
from impls.compiled_pixels import UNROLLED
from impls.network import Array, Network
from impls.simd import Constant, constant

_FEW = 16  # examples: up to this many, a narrow network adds each gradient directly to its weights, because its steps are not small
_NARROW = 2  # lines of the first layer
_GROUP = 100  # examples: their errors for a tile fit into the first-level cache, and a byte holds a position in a group
_MOST_ROWS = 12  # of a block: more gain nothing


def _compiles_for_avx512() -> bool:
    config = numba.config
    if config.CPU_NAME is None and config.CPU_FEATURES is None:
        return bool(llvmlite.binding.get_host_cpu_features().get("avx512f"))
    return "+avx512f" in (config.CPU_FEATURES or "")  # NUMBA_CPU_NAME and NUMBA_CPU_FEATURES choose another processor


# The registers of the processor, counted in lines: AVX-512 has 32 of 64 bytes, AVX2 16 of 32 bytes, NEON 32 of 16 bytes.
_REGISTERS = 32 if _compiles_for_avx512() else 8


class FirstLayer(NamedTuple):
    """The arrays of layer 1."""

    lines: Constant  # of a tile
    w: Array  # (p_1/T_1, n_0, T_1), n_0 padded to a multiple of UNROLLED
    b: Array  # (p_1,)
    a: Array  # (p_1/T_1, m, T_1)
    delta: Array  # (p_1/T_1, m, T_1)


class Pairs(NamedTuple):
    """A mini-batch, listed by pairs of adjacent pixels: for each group of examples and each pair, the examples in which it is not 0."""

    counts: Array  # (groups, pairs)
    records: Array  # (groups, pairs, examples of a group, 4): the example's position in its group, the values of both pixels, unused
    nabla_w: Array  # (threads, 2 pairs, T_1), for each thread the gradient of a tile, summed over the groups


class Layer(NamedTuple):
    """The arrays of a layer l above the first, and those of the layer below. The rows are those of a block of a product."""

    lines: Constant  # of a tile
    lines_below: Constant
    rows: Constant  # examples, forward
    rows_below: Constant  # examples, backward
    rows_step: Constant  # inputs
    units: int  # n_l
    inputs: int  # n_{l-1}
    w: Array  # (p_l/T_l, p_{l-1}, T_l)
    w_transposed: Array  # (p_{l-1}/T_{l-1}, p_l, T_{l-1})
    b: Array  # (p_l,)
    a: Array  # (p_l/T_l, m, T_l)
    delta: Array  # (p_l/T_l, m, T_l)
    a_below: Array
    delta_below: Array


class Layout(NamedTuple):
    """All layers. `pairs` is None if gradients are added directly."""

    first: FirstLayer
    pairs: Pairs | None
    upper: tuple[Layer, ...] | None  # None if there is only one layer
    downward: tuple[Layer, ...] | None  # the same, from the last
    output: FirstLayer | Layer
    y: Array  # (n_L, p_L), the desired output for each label
    zeros: Array  # (max p_l,), the biases of a product without biases


def adds_directly(layers: Sequence[int], m: int, dtype: npt.DTypeLike) -> bool:
    """Return whether each example's gradient is added directly to w_1, not summed over examples first."""
    return m == 1 or (m <= _FEW and _lines(layers[1], dtype) <= _NARROW)


def layout(layers: Sequence[int], m: int, dtype: np.dtype[np.floating], threads: int, entry: npt.DTypeLike) -> Layout:
    """Return the arrays of a network, for mini-batches of m examples; all weights and biases are 0.

    entry  dtype of the entries of the lists
    """
    tiles = [_tile(n, dtype, threads, narrow=len(layers) > 3 or number > 0) for number, n in enumerate(layers[1:])]
    padded = [math.ceil(n / tile) * tile for n, tile in zip(layers[1:], tiles, strict=True)]
    lines = [constant(_lines(tile, dtype)) for tile in tiles]
    b = [aligned.zeros((p,), dtype) for p in padded]
    a, delta = ([aligned.zeros((p // tile, m, tile), dtype) for p, tile in zip(padded, tiles, strict=True)] for _ in ("a", "delta"))

    def weights(units: int, tile: int, inputs: int) -> Array:
        return aligned.zeros((units // tile, inputs, tile), dtype)

    first = FirstLayer(lines[0], weights(padded[0], tiles[0], UNROLLED * math.ceil(layers[0] / UNROLLED)), b[0], a[0], delta[0])
    upper = tuple(
        Layer(
            lines=lines[here],
            lines_below=lines[below],
            rows=_rows(lines[here], math.ceil(m / threads)),
            rows_below=_rows(lines[below], math.ceil(m / threads)),
            rows_step=_rows(lines[here], min(layers[here], tiles[below])),
            units=layers[here + 1],
            inputs=layers[here],
            w=weights(padded[here], tiles[here], padded[below]),
            w_transposed=weights(padded[below], tiles[below], padded[here]),
            b=b[here],
            a=a[here],
            delta=delta[here],
            a_below=a[below],
            delta_below=delta[below],
        )
        for below, here in itertools.pairwise(range(len(padded)))
    )
    # A padded output is sigmoid(0) = 1/2. With 1/2 as the desired value, its error is 0.
    y = aligned.zeros((layers[-1], padded[-1]), dtype)
    y[...] = 0.5
    y[:, : layers[-1]] = np.eye(layers[-1])
    no_bias = aligned.zeros((max(padded),), dtype)
    pairs = None if adds_directly(layers, m, dtype) else _pairs(first.w, m, threads, entry)
    return Layout(first, pairs, upper or None, upper[::-1] or None, upper[-1] if upper else first, y, no_bias)


def set_weights(layout: Layout, network: Network) -> None:
    """Copy the network's weights and biases into the arrays."""
    upper = layout.upper or ()
    for layer, w, b in zip(_all(layout), network.weights, network.biases, strict=True):
        _fill(layer.w, w.T)
        layer.b[: len(b)] = b[:, 0]
    for layer, w in zip(upper, network.weights[1:], strict=True):
        _fill(layer.w_transposed, w)


def network_of(layout: Layout, layers: Sequence[int]) -> Network:
    """Return a copy of the weights and biases in the arrays."""
    arrays = _all(layout)
    weights = [np.concatenate(tuple(each.w), axis=1)[:below, :n].T for each, below, n in zip(arrays, layers, layers[1:], strict=False)]
    return Network(weights, [each.b[:n, np.newaxis] for each, n in zip(arrays, layers[1:], strict=True)])


def _all(layout: Layout) -> list[FirstLayer | Layer]:
    return [layout.first, *(layout.upper or ())]


def _pairs(w: Array, m: int, threads: int, entry: npt.DTypeLike) -> Pairs:
    groups, pairs = max(math.ceil(m / _GROUP), min(threads, m)), w.shape[1] // 2  # each thread lists some of the groups
    records = np.zeros((groups, pairs, math.ceil(m / groups), 4), entry)
    return Pairs(np.zeros((groups, pairs), np.int32), records, aligned.zeros((threads, *w.shape[1:]), w.dtype))


def _lines(units: int, dtype: npt.DTypeLike) -> int:
    return math.ceil(units * np.dtype(dtype).itemsize / LINE)


def _tile(units: int, dtype: np.dtype[np.floating], threads: int, *, narrow: bool) -> int:
    """Return the units of a tile, for a layer of this many units.

    narrow  leave registers for the sums of several examples
    Each thread computes whole tiles. To find an input's values takes about as long as half a line of products, for every tile. More than
    four lines of a group's errors do not fit into the first-level cache.
    """

    def cost(lines: int) -> float:
        tiles = math.ceil(math.ceil(_lines(units, dtype) / lines) / threads)
        return tiles * (lines + 0.6) * (1.1 if lines > 4 else 1.0)

    return min(range(1, _REGISTERS // (8 if narrow else 4) + 1), key=cost) * (LINE // dtype.itemsize)


def _rows(lines: Constant, rows: int) -> Constant:
    """Return the rows of blocks that fit into the registers, beside a line of each column and a broadcast number.

    The last block computes rows of the one before it again: 22 blocks of 6 for 128 rows compute 132, 32 blocks of 4 compute 128. To begin
    and to store a block takes about as long as 0.3 rows.
    """
    most = max(1, min(_MOST_ROWS, (_REGISTERS - 1 - len(lines)) // len(lines)))
    return constant(min(range(1, most + 1), key=lambda block: math.ceil(rows / block) * (block + 0.3)))


def _fill(tiles: Array, w: Array) -> None:
    """Copy w, (k, n), into tiles, (p/T, k or more, T). The padding becomes 0."""
    padded = np.pad(w, ((0, tiles.shape[1] - len(w)), (0, tiles.shape[0] * tiles.shape[2] - w.shape[1])))
    tiles[...] = padded.reshape(len(padded), -1, tiles.shape[2]).transpose(1, 0, 2)
