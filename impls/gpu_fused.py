"""One kernel launch is one epoch, for a network with one hidden layer: the weights never leave the registers between steps."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_kernels import GpuKernels
from impls.trainer import Order

BLOCKS = 8  # the largest cluster that every device of compute capability 9.0 and later can hold
THREADS = (128, 192, 224, 256)  # of a block; with more, a thread has registers for less than half as much
# Of a thread, what its weights, the pixels of two chunks and their products may fill, in 32-bit registers, by itemsize. The rest of the
# 255 is for addresses and what else the compiler needs: the shapes in tests/impls/test_kernels.py compile without spills.
REGISTERS = {4: 208, 8: 150}
MOST = 32  # examples at once; more would need more addresses than is set aside


class GpuFused(GpuKernels):
    """Trains with kernels/epoch.cu: 8 blocks, each with an eighth of the hidden units, that meet once a step over the outputs.

    With compute capability 9.0 the blocks are a cluster and write into each other's shared memory; before, from 7.5, they are a
    cooperative launch that goes through device memory. Raises Unsupported for a network or a mini-batch that the registers and the
    shared memory do not hold. On the device besides: the labels (n,), as 32-bit integers.

    threads  numbers of threads of a block to choose among; a subclass may have others, for an experiment
    """

    threads: ClassVar[tuple[int, ...]] = THREADS

    def _setup(self, data: Dataset) -> None:
        xp = self.xp
        device = xp.cuda.Device()
        capability, multiprocessors = int(device.compute_capability), device.attributes["MultiProcessorCount"]
        clusters = capability >= 90
        if capability < 75:
            raise Unsupported(f"gpu_fused needs compute capability 7.5; this device has {capability / 10}")
        if multiprocessors < BLOCKS:  # the blocks wait for one another
            raise Unsupported(f"gpu_fused needs {BLOCKS} multiprocessors; this device has {multiprocessors}")
        self._m = min(self.batch_size, self.examples)
        shared_limit = device.attributes["MaxSharedMemoryPerBlockOptin"]
        self._fit = fit = FusedFit.of(
            self.layers, self._m, self.dtype.itemsize, clusters=clusters, shared_limit=shared_limit, threads=self.threads
        )
        super()._setup(data)
        files = (
            "hardware.cuh",
            "clocks.cuh",
            "sigmoid.cuh",
            "warp.cuh",
            "sizes.cuh",
            "cluster.cuh" if clusters else "grid.cuh",
            "epoch.cu",
        )
        (kernel,) = self._compiled(files, ("epoch",), **fit.macros(self.layers))
        kernel.max_dynamic_shared_size_bytes = fit.shared_bytes
        # Told at the launch, because to tell the module has CuPy before 14.2 link a library that a pip installation may lack.
        self._launch = partial(kernel.kernel, enable_cooperative_groups=not clusters)
        self._labels = xp.asarray(data.labels.astype(np.int32))
        self._board = xp.zeros(fit.board_bytes, np.uint8)

    def _epoch(self, order: Order) -> None:
        self._send(order)
        self._board.fill(0)
        (w_1, w_2), (b_1, b_2) = self._w, self._b
        sizes = (np.int32(self.examples), np.int32(self._m), self.dtype.type(self.learning_rate))
        arguments = (self._images, self._labels, self._order, w_1, b_1, w_2, b_2, self._board, *sizes)
        self._launch((BLOCKS,), (self._fit.threads,), arguments, shared_mem=self._fit.shared_bytes)


class FusedFit(NamedTuple):
    """How a network and a mini-batch lie in the blocks.

    threads       of a block
    chunk         examples whose pixels a thread holds at once
    chunks        of those, to make a mini-batch
    shared_bytes  of a block, at most
    board_bytes   of device memory where there are no clusters, at most
    """

    threads: int
    chunk: int
    chunks: int
    shared_bytes: int
    board_bytes: int

    @classmethod
    def of(
        cls,
        layers: tuple[int, ...],
        batch_size: int,
        itemsize: int,
        *,
        clusters: bool,
        shared_limit: int,
        threads: tuple[int, ...] = THREADS,
    ) -> FusedFit:
        """Return the fit with the fewest chunks, then the fewest pixels a thread, then the fewest threads.

        On an H100 224 threads are the fastest for `nielsen` and `wide`, of 128, 192, 224 and 256. Raises Unsupported, with the reason, if
        there is no fit.

        clusters      whether the blocks meet in a cluster, or else through device memory
        shared_limit  bytes of shared memory that a block of the device can have
        threads       of a block, to choose among: multiples of 32
        """
        if len(layers) != 3:
            raise Unsupported(f"gpu_fused trains networks with one hidden layer; {'-'.join(map(str, layers))} has {len(layers) - 2}")
        pixels, hidden, outputs = layers
        in_registers = [fit for each in threads if (fit := cls._with(each, layers, batch_size, itemsize, clusters))]
        if not in_registers:
            raise Unsupported(f"{pixels}-{hidden}-{outputs}: the weights do not fit the registers of gpu_fused's {BLOCKS} multiprocessors")
        fits = [fit for fit in in_registers if fit.shared_bytes <= shared_limit]
        if not fits:
            least = min(fit.shared_bytes for fit in in_registers)
            raise Unsupported(
                f"{pixels}-{hidden}-{outputs}, batch {batch_size}: gpu_fused needs {least / 1024:.0f} KiB of shared memory a block; "
                f"this device has {shared_limit / 1024:.0f}"
            )
        return min(fits, key=lambda fit: (fit.chunks, -(-pixels // fit.threads), fit.threads))

    @classmethod
    def _with(cls, threads: int, layers: tuple[int, ...], batch_size: int, itemsize: int, clusters: bool) -> FusedFit | None:
        """Return the fit with that many threads, or None if their registers do not hold the weights and one example."""
        pixels, hidden, outputs = layers
        units, columns, reals = -(-hidden // BLOCKS), -(-pixels // threads), REGISTERS[itemsize] * 4 // itemsize
        # For each example a thread holds its pixels, twice, and a product with each of the units.
        most = min((reals - columns * units) // (2 * columns + units), MOST)
        if most <= 0:
            return None
        chunks = -(-batch_size // most)
        chunk = -(-batch_size // chunks)
        examples = chunks * chunk  # as in sizes.cuh
        parts = BLOCKS * (outputs * examples + 4) * itemsize  # of z_2, of a step, by all blocks
        # Of epoch.cu's struct Shared: the mailbox; z_1 of each warp, a_1, delta_1; delta_2; w_2, b_1, b_2; rows, labels
        others = units * examples * (threads // 32 + 2) + outputs * examples + outputs * units + units + outputs
        shared = (2 if clusters else 1) * parts + 64 + others * itemsize + 3 * examples * 4
        return cls(threads, chunk, chunks, shared, 2 * parts + 64)

    def macros(self, layers: tuple[int, ...]) -> dict[str, int]:
        """Return the sizes that the kernel is compiled for."""
        pixels, hidden, outputs = layers
        return {
            "PIXELS": pixels,
            "HIDDEN": hidden,
            "OUTPUTS": outputs,
            "CHUNK": self.chunk,
            "CHUNKS": self.chunks,
            "BLOCKS": BLOCKS,
            "THREADS": self.threads,
            "SHARED_BYTES": self.shared_bytes,
        }
