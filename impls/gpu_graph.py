"""A trainer that captures its steps in a CUDA graph once and replays it, so that a step does not wait for Python."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import Any, ClassVar, NamedTuple

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_kernels import GpuKernels, ceil_divide
from impls.gpu_launch import EDGE_DATA, launch_dependent
from impls.trainer import Order

STEPS_A_GRAPH = 256  # enough that starting a replay costs little beside it, and few enough that building the graph costs little
THREADS, SHARED_BYTES = 256, 64 * 1024  # of a block that computes a tile of a matrix product
NARROW_WARPS = 8  # upper limit, of a block of the kernel `forward_narrow`
OUTPUT_WARPS = 16  # upper limit, of a block of the kernel `output`
MINI_BATCH = np.dtype([("order", np.uintp), ("start", np.uintp), ("offset", np.int32)], align=True)  # struct MiniBatch of product.cuh


class Tile(NamedTuple):
    """A tile of a matrix product: `groups` of threads share it, and each thread computes high x wide elements (product.cuh)."""

    high: int
    wide: int
    groups: int
    clocks: int  # cycles of a block per place of the common dimension: multiply-adds, 128 a cycle in float32, and their waits

    def blocks(self, rows: int, columns: int) -> tuple[int, int]:
        """Return the number of tiles along a row and along a column of a matrix of this shape."""
        return ceil_divide(columns, 8 * self.wide), ceil_divide(rows, THREADS // self.groups // 8 * self.high)


class Narrow(NamedTuple):
    """The share of a block of the kernel `forward_narrow`: `high` examples of `wide` units."""

    high: int
    wide: int


class Launch(NamedTuple):
    """One kernel of a step.

    kernel     its name
    grid       blocks
    threads    of a block
    shared     bytes of shared memory of a block
    arguments  of the kernel
    crowded    whether a multiprocessor gets more than one tile
    """

    kernel: str
    grid: tuple[int, ...]
    threads: int
    shared: int
    arguments: tuple[Any, ...]
    crowded: bool = False


class GpuGraph(GpuKernels):
    """Trains any number of layers. With L layers, a step is L - 1 forward kernels, `output`, L - 2 backward kernels if L > 1, and `update`.

    CuPy's matrix products cannot be captured, so kernels/layers.cu has its own. With compute capability 9.0 a kernel starts while the
    kernel before it is still running, and then waits for it (programmatic dependent launch). Also on the device: the desired outputs
    y (n, n_L) of all examples; a_l of the hidden layers and delta_l, (m, n_l), of one mini-batch.

    For each product, a step uses the kernel with the fewest cycles of a multiprocessor, as estimated for an H100.

    Raises Unsupported if the outputs of one example exceed 64 KiB.
    """

    # The candidates. With more sums of float64, a thread would run out of registers.
    tiles: ClassVar = {
        "float32": (Tile(8, 8, 2, 88), Tile(4, 8, 2, 43), Tile(4, 4, 4, 14)),
        "float64": (Tile(4, 8, 2, 86), Tile(4, 4, 4, 28)),
    }
    narrow: ClassVar = {"float32": (Narrow(2, 4), Narrow(10, 8)), "float64": (Narrow(2, 4), Narrow(5, 8))}
    # Percent of a multiprocessor's memory to use as shared memory, for one tile and for two; the rest is L1 cache. On an H200 an epoch of
    # `wide` takes 4.40 ms with the first and 4.81 ms with the second. `large`, with two tiles per multiprocessor, takes 8.23 and 6.98 ms.
    carveouts: ClassVar = (40, 50)
    examples_together = 4  # of a block of the kernel `output`, if there are enough blocks to keep the device busy

    _launch_dependent = staticmethod(launch_dependent)

    def _setup(self, data: Dataset) -> None:
        if self.layers[-1] * self.dtype.itemsize > SHARED_BYTES:
            raise Unsupported(f"gpu_graph: {self.layers[-1]:,} outputs do not fit 64 KiB of shared memory; use gpu")
        super()._setup(data)
        xp, m = self.xp, min(self.batch_size, self.examples)
        self._y = xp.asarray(data.one_hot(self.layers[-1], self.dtype))
        self._a = [xp.zeros((m, n), self.dtype) for n in self.layers[1:-1]]
        self._delta = [xp.zeros((m, n), self.dtype) for n in self.layers[1:]]
        self._start = xp.zeros(1, np.int32)  # index in the order of the replay's first example
        self._below = [self._images, *self._a]
        table = [
            [*(array.data.ptr for array in arrays), *arrays[0].shape]
            for arrays in zip(self._w, self._b, self._delta, self._below, strict=True)
        ]
        self._table = xp.asarray(np.array(table, np.int64))  # a struct Layer for each layer
        device = xp.cuda.Device()
        self._multiprocessors = device.attributes["MultiProcessorCount"]
        # With two or more hidden layers, overlapping kernels are slower: on an H100 `deep` takes 14.9 ms with overlap, 12.9 ms without.
        can_overlap = int(device.compute_capability) >= 90 and xp.cuda.runtime.driverGetVersion() >= EDGE_DATA
        self._overlaps = can_overlap and len(self.layers) <= 3

        plan = replays(self.examples, self.batch_size)
        batch_sizes = sorted({m for sizes, _ in plan for m in sizes})
        launches = [launch for m in batch_sizes for launch in self._launches(0, m)]
        names = tuple(sorted({launch.kernel for launch in launches} | {"advance"}))
        kernels = self._compiled(
            ("hardware.cuh", "sigmoid.cuh", "warp.cuh", "product.cuh", "layers.cu"),
            names,
            THREADS=THREADS,
            SHARED_BYTES=SHARED_BYTES,
            NARROW_WARPS=NARROW_WARPS,
            OUTPUT_WARPS=OUTPUT_WARPS,
        )
        carveout = self.carveouts[any(launch.crowded for launch in launches)]
        for kernel in kernels:
            kernel.max_dynamic_shared_size_bytes = SHARED_BYTES  # CUDA requires this above 48 KiB
            # The same for all kernels: a multiprocessor cannot change it while kernels overlap.
            kernel.preferred_shared_memory_carveout = carveout
        self._kernels = dict(zip(names, kernels, strict=True))
        self._stream = xp.cuda.Stream(non_blocking=True)
        self._synchronize()
        with self._stream:
            for m in batch_sizes:  # CUDA may load a kernel at its first launch, which would invalidate a capture
                self._step(0, m)
            self._advance(0)
            self._stream.synchronize()  # otherwise these steps could still run while `load` sets the weights on another stream
            self._graphs = [(self._capture(sizes), times) for sizes, times in plan]

    def _epoch(self, order: Order) -> None:
        with self._stream:
            self._send(order)
            for graph, times in self._graphs:
                for _ in range(times):
                    graph.launch()

    def _synchronize(self) -> None:
        super()._synchronize()
        self._stream.synchronize()

    def _capture(self, sizes: list[int]) -> Any:
        """Return a graph with one step for each of these mini-batch sizes. Each replay continues where the previous one ended."""
        self._stream.begin_capture()
        offsets = [0, *accumulate(sizes)]
        for offset, m in zip(offsets, sizes, strict=False):
            self._step(offset, m)
        self._advance(offsets[-1])
        graph = self._stream.end_capture()
        graph.upload()  # otherwise the first replay would do it
        return graph

    def _step(self, offset: int, m: int) -> None:
        for launch in self._launches(offset, m):
            self._launch(launch)

    def _advance(self, examples: int) -> None:
        self._launch(Launch("advance", (1,), 1, 0, (self._start, np.int32(examples), np.int32(self.examples))))

    def _launch(self, launch: Launch) -> None:
        """Launch a kernel, with programmatic dependent launch if the device supports it and the driver has not refused it."""
        name, grid, threads, shared, arguments, _ = launch
        kernel = self._kernels[name]
        if self._overlaps:
            self._overlaps = self._launch_dependent(kernel.kernel, grid, threads, arguments, shared, self._stream)
        if not self._overlaps:
            kernel(grid, (threads,), arguments, shared_mem=shared)

    def _launches(self, offset: int, m: int) -> Iterator[Launch]:
        """Yield the launches of one step, in order, for m examples from `offset` after the replay's start."""
        batch = np.array((self._order.data.ptr, self._start.data.ptr, offset), MINI_BATCH)
        as_they_are = np.zeros((), MINI_BATCH)  # for hidden activations, which are already in the mini-batch's order
        layers, w, b, a, delta, below = self.layers, self._w, self._b, self._a, self._delta, self._below
        depth = len(w)

        for i, (n_below, n) in enumerate(pairwise(layers[:-1])):
            yield self._forward(m, n_below, n, below[i], as_they_are if i else batch, w[i], b[i], a[i])

        *_, n_below, n = layers
        eta_over_m = self.dtype.type(self.learning_rate / m)
        beneath = delta[-2] if depth > 1 else np.intp(0)
        last = below[-1], np.int32(depth == 1), batch, self._y, w[-1], b[-1], delta[-1], beneath, *_integers(m, n_below, n), eta_over_m
        yield self._output(m, n, *last)

        for i in range(depth - 3, -1, -1):
            n, n_above = layers[i + 1], layers[i + 2]
            yield self._product("backward", [(m, n)], n_above, delta[i + 1], w[i + 1], a[i], delta[i], *_integers(m, n_above, n))

        shapes = [(n, n_below + 1) for n_below, n in pairwise(layers)]
        yield self._product("update", shapes, m, self._table, batch, np.int32(m))

    def _forward(self, m: int, n_below: int, n: int, *arguments: Any) -> Launch:
        """Return the launch of a layer's forward kernel for m examples: with tiles, or with narrow blocks, which are more numerous."""
        arguments = (*arguments, *_integers(m, n_below, n))
        narrow = self._narrow_blocks(m, n_below, n, arguments)
        return _fastest(*narrow, *self._tiled("forward", [(m, n)], n_below, arguments))

    def _product(self, kernel: str, shapes: list[tuple[int, int]], depth: int, *arguments: Any) -> Launch:
        """Return the launch of matrix products with results of these shapes and the common dimension `depth`."""
        return _fastest(*self._tiled(kernel, shapes, depth, arguments))

    def _tiled(self, kernel: str, shapes: list[tuple[int, int]], depth: int, arguments: tuple[Any, ...]) -> Iterator[tuple[float, Launch]]:
        """Yield, for each kind of tile, the estimated cycles of a multiprocessor for its share, and the launch."""
        for tile in self.tiles[self.dtype.name]:
            grids = [tile.blocks(*shape) for shape in shapes]
            share = ceil_divide(sum(map(math.prod, grids)), self._multiprocessors)
            grid = (*map(max, *grids, (1, 1)), len(shapes))
            name = f"{kernel}<{tile.high}, {tile.wide}, {tile.groups}>"
            yield share * tile.clocks * depth, Launch(name, grid, THREADS, SHARED_BYTES, arguments, crowded=share > 1)

    def _narrow_blocks(self, m: int, n_below: int, n: int, arguments: tuple[Any, ...]) -> Iterator[tuple[float, Launch]]:
        """Yield, for each kind of narrow block, the estimated cycles of a multiprocessor for its share, and the launch."""
        size = self.dtype.itemsize
        vector = 1 if n_below * size % 16 else 16 // size  # numbers that a thread reads at once
        full_warps = ceil_divide(n_below, 32 * vector)  # warps that read a whole line in one iteration
        warps = ceil_divide(full_warps, ceil_divide(full_warps, NARROW_WARPS))
        for high, wide in self.narrow[self.dtype.name]:
            grid = (ceil_divide(n, wide), ceil_divide(m, high))
            reads = (high + wide) * n_below * size / 64
            sums = high * wide * (n_below / 128 + warps)  # the products, and the sums over the lanes
            clocks = ceil_divide(math.prod(grid), self._multiprocessors) * (reads + sums)
            yield clocks, Launch(f"forward_narrow<{high}, {wide}, {vector}>", grid, 32 * warps, warps * high * wide * size, arguments)

    def _output(self, m: int, n: int, *arguments: Any) -> Launch:
        """Return the launch of the kernel `output`, which computes delta_L and the delta below it."""
        together = self.examples_together
        fits = n * together * self.dtype.itemsize <= SHARED_BYTES
        examples = together if fits and m >= together * self._multiprocessors // 2 else 1
        # The compiler reads 16 bytes at a time, also at the end of the deltas.
        shared = ceil_divide(n * examples * self.dtype.itemsize, 16) * 16
        return Launch(f"output<{examples}>", (ceil_divide(m, examples),), 32 * min(n, OUTPUT_WARPS), shared, arguments)


def replays(examples: int, batch_size: int) -> list[tuple[list[int], int]]:
    """Return the graphs of an epoch: for each, the sizes of its mini-batches, in order, and the number of replays."""
    whole, last = divmod(examples, batch_size)
    times, rest = divmod(whole, STEPS_A_GRAPH)
    repeated = [([batch_size] * STEPS_A_GRAPH, times)] if times else []
    ending = [batch_size] * rest + [last] * (last > 0)
    return repeated + ([(ending, 1)] if ending else [])


def _fastest(*candidates: tuple[float, Launch]) -> Launch:
    """Return the launch with the fewest cycles. Each candidate is a pair (cycles, launch)."""
    return min(candidates, key=itemgetter(0))[1]


def _integers(*values: int) -> tuple[Any, ...]:
    return tuple(np.int32(value) for value in values)
