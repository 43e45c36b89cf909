"""A trainer with one kernel launch per epoch, for one hidden layer: the first layer's weights stay in registers between steps."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_kernels import GpuKernels
from impls.trainer import Order

BLOCKS = 8  # the largest cluster that every device of compute capability 9.0 and later supports
THREADS = (128, 192, 224, 256)  # of a block; with more threads, each has less than half of these registers
# 32-bit registers of a thread for its weights, the pixels of two chunks and their products, by itemsize. The rest of the 255 is for
# addresses and other values of the compiler. With these numbers the shapes in tests/impls/test_kernels.py compile without spills.
REGISTERS = {4: 208, 8: 150}
MOST = 32  # examples of a chunk; more would need more registers for addresses than REGISTERS leaves


class GpuFused(GpuKernels):
    """Trains with kernels/epoch.cu: 8 blocks, each with an eighth of the hidden units, exchange the outputs once a step.

    With compute capability 9.0 the blocks are a cluster and write into each other's shared memory. From 7.5 on they are a
    cooperative launch and exchange through device memory. Raises Unsupported if the device is older, or if the network or the
    mini-batch does not fit the registers and the shared memory. Also on the device: the labels (n,), as 32-bit integers.

    threads  candidate numbers of threads of a block; a subclass may replace them, for an experiment
    """

    threads: ClassVar[tuple[int, ...]] = THREADS

    def _setup(self, data: Dataset) -> None:
        xp = self.xp
        device = xp.cuda.Device()
        capability, multiprocessors = int(device.compute_capability), device.attributes["MultiProcessorCount"]
        clusters = capability >= 90
        if capability < 75:
            raise Unsupported(f"gpu_fused: needs compute capability 7.5; this device has {capability / 10}")
        if multiprocessors < BLOCKS:  # the blocks wait for each other, so all of them must run at once
            raise Unsupported(f"gpu_fused: needs {BLOCKS} multiprocessors; this device has {multiprocessors}")
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
        # Set at the launch: CuPy before 14.2 links a library for a cooperative module, and a pip installation may lack that library.
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
    """The layout of a network and a mini-batch in the blocks.

    threads       threads of a block
    chunk         examples whose pixels a thread holds at once
    chunks        chunks of a mini-batch
    shared_bytes  upper bound of the shared memory of a block
    board_bytes   upper bound of the device memory for the exchange without clusters
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
        """Return the fit with the fewest chunks, then the fewest pixels per thread, then the fewest threads.

        On an H100, of 128, 192, 224 and 256 threads, 224 are the fastest for `nielsen` and `wide`.

        clusters      whether the blocks exchange in a cluster, instead of through device memory
        shared_limit  bytes of shared memory available to a block on the device
        threads       candidate numbers of threads of a block, multiples of 32

        Raises Unsupported, with the reason, if nothing fits.
        """
        if len(layers) != 3:
            raise Unsupported(f"gpu_fused: needs one hidden layer; {'-'.join(map(str, layers))} has {len(layers) - 2}")
        pixels, hidden, outputs = layers
        in_registers = [fit for each in threads if (fit := cls._with(each, layers, batch_size, itemsize, clusters))]
        if not in_registers:
            raise Unsupported(
                f"gpu_fused: the weights of {pixels}-{hidden}-{outputs} do not fit the registers of {BLOCKS} multiprocessors; use gpu_graph"
            )
        fits = [fit for fit in in_registers if fit.shared_bytes <= shared_limit]
        if not fits:
            least = min(fit.shared_bytes for fit in in_registers)
            raise Unsupported(
                f"gpu_fused: {pixels}-{hidden}-{outputs}, batch {batch_size}, needs {least / 1024:.0f} KiB of shared memory per block; "
                f"this device has {shared_limit / 1024:.0f}"
            )
        return min(fits, key=lambda fit: (fit.chunks, -(-pixels // fit.threads), fit.threads))

    @classmethod
    def _with(cls, threads: int, layers: tuple[int, ...], batch_size: int, itemsize: int, clusters: bool) -> FusedFit | None:
        """Return the fit for this number of threads, or None if their registers are too few for the weights and one example."""
        pixels, hidden, outputs = layers
        units, columns, reals = -(-hidden // BLOCKS), -(-pixels // threads), REGISTERS[itemsize] * 4 // itemsize
        # For each example a thread holds its pixels twice, and one product for each unit.
        most = min((reals - columns * units) // (2 * columns + units), MOST)
        if most <= 0:
            return None
        chunks = -(-batch_size // most)
        chunk = -(-batch_size // chunks)
        examples = chunks * chunk  # as in sizes.cuh
        parts = BLOCKS * (outputs * examples + 4) * itemsize  # bytes of all blocks' parts of z_2 in one step
        # epoch.cu's struct Shared: the mailbox; z_1 of each warp, a_1, delta_1; delta_2; w_2, b_1, b_2; rows, labels
        others = units * examples * (threads // 32 + 2) + outputs * examples + outputs * units + units + outputs
        shared = (2 if clusters else 1) * parts + 64 + others * itemsize + 3 * examples * 4
        return cls(threads, chunk, chunks, shared, 2 * parts + 64)

    def macros(self, layers: tuple[int, ...]) -> dict[str, int]:
        """Return the macros to compile the kernel with: its sizes."""
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
