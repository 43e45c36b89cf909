"""One launch is one epoch, and most of a step's arithmetic is done before the step's weights are known."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_kernels import GpuKernels
from impls.trainer import Order

LEAD = 3  # steps between the weights that a product is computed with and those that it is meant for
PAIR = 1  # examples of a warp of the conductor
HELPERS = 8  # warps of the conductor besides
ADDERS = 3  # warps of a worker, at least, besides those that multiply
MOST = 32  # examples of a mini-batch
SIDE, AHEAD, RECORDS, DELTAS = 16, 4, 4, 4  # as in lookahead.cu
NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14  # of CUfunction_attribute


class GpuLookahead(GpuKernels):
    """Trains with kernels/lookahead.cu, for one hidden layer and small mini-batches, on a cluster of blocks (compute capability 9.0).

    One block goes from z to delta, step by step. The others hold the first layer's weights in registers, a slice of the pixels each, and
    multiply ahead of it. Raises Unsupported for a network or a mini-batch that registers and shared memory do not hold.

    On the device besides: images (n, inputs), each with a 1 behind its pixels; labels (n,), as 32-bit integers; and of every step the
    products of its images with those of the steps before.

    blocks  of the cluster
    """

    blocks: ClassVar[int] = 14

    def _setup(self, data: Dataset) -> None:
        xp = self.xp
        device = xp.cuda.Device()
        capability, shared_limit = int(device.compute_capability), device.attributes["MaxSharedMemoryPerBlockOptin"]
        if capability < 90:
            raise Unsupported(f"gpu_lookahead needs compute capability 9.0; this device has {capability / 10}")
        self._m = min(self.batch_size, self.examples)
        self._fit = fit = Fit.of(self.layers, self._m, self.dtype.itemsize, self.blocks)
        if fit.shared_bytes > shared_limit:
            raise Unsupported(
                f"{'-'.join(map(str, self.layers))}, batch {self._m}: gpu_lookahead needs {fit.shared_bytes / 1024:.0f} KiB of shared "
                f"memory a block; this device has {shared_limit / 1024:.0f}"
            )
        super()._setup(data)
        pixels = self.layers[0]
        images = xp.zeros((self.examples, fit.inputs), self.dtype)
        images[:, :pixels] = self._images
        images[:, pixels] = 1
        self._images = images
        self._labels = xp.asarray(data.labels.astype(np.int32))
        self._steps = -(-self.examples // self._m)
        self._records = xp.zeros(self._steps * fit.record_bytes, np.uint8)
        files = ("hardware.cuh", "sigmoid.cuh", "warp.cuh", "lookahead.cu")
        self._prepare, self._train = self._compiled(files, ("prepare", "epoch"), **fit.macros(self.layers, self._m))
        self._train.max_dynamic_shared_size_bytes = fit.shared_bytes
        if fit.blocks > 8:  # more than every device can hold
            xp.cuda.driver.funcSetAttribute(self._train.kernel.ptr, NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1)

    def _epoch(self, order: Order) -> None:
        fit, n = self._fit, np.int32(self.examples)
        self._send(order)
        self._prepare((self._steps,), (fit.preparing,), (self._images, self._labels, self._order, self._records, n))
        (w_1, w_2), (b_1, b_2) = self._w, self._b
        last = self.examples - (self._steps - 1) * self._m
        rates = (self.dtype.type(self.learning_rate / m) for m in (self._m, last))
        arguments = (self._images, self._order, self._records, w_1, b_1, w_2, b_2, n, *rates)
        self._train((fit.blocks,), (fit.threads,), arguments, shared_mem=fit.shared_bytes)


class Fit(NamedTuple):
    """How a network and a mini-batch lie in the blocks.

    blocks, threads  of the cluster, of a block
    inputs           of an image: the pixels, a 1, and 0s up to a multiple of 16 bytes
    preparing        threads of a block of `prepare`
    record_bytes     of device memory for a step
    shared_bytes     of a block
    """

    blocks: int
    threads: int
    inputs: int
    preparing: int
    record_bytes: int
    shared_bytes: int

    @classmethod
    def of(cls, layers: tuple[int, ...], m: int, itemsize: int, blocks: int) -> Fit:
        """Return the fit for mini-batches of m examples. Raises Unsupported, with the reason, if there is none."""
        if len(layers) != 3:
            raise Unsupported(f"gpu_lookahead trains networks with one hidden layer; {'-'.join(map(str, layers))} has {len(layers) - 2}")
        if m > MOST:
            raise Unsupported(f"batch {m}: gpu_lookahead takes at most {MOST} examples a mini-batch; gpu_graph takes any number")
        pixels, hidden, outputs = layers
        quad = 16 // itemsize  # numbers in 16 bytes
        inputs, line = _whole(pixels + 1, quad) * quad, _whole(m, quad) * quad
        units, lanes = _whole(hidden, 2 * quad) * 2 * quad, _whole(hidden + 1, 32) * 32
        quads = _whole(_whole(inputs // quad, blocks - 1), SIDE)  # of pixels, of a worker's thread
        threads = 32 * max(_whole(m, PAIR) + HELPERS, units // quad * SIDE // 32 + ADDERS)
        registers = 65536 // threads // 8 * 8
        if threads > 1024 or 4 * quads * quad + 64 > registers:
            raise Unsupported(f"{pixels}-{hidden}-{outputs}, batch {m}: the weights do not fit the registers of gpu_lookahead's blocks")

        # The structs of lookahead.cu
        message, record = m * units, LEAD * m * line + line
        parts, deltas = (LEAD + 1) * (blocks - 1) * message, DELTAS * message
        conductor = parts + RECORDS * record + deltas + m * _whole(outputs, quad) * quad + message + (m + outputs) * lanes
        images, sums = (LEAD + AHEAD + 1) * m * quads * SIDE * quad, 2 * units * (SIDE * (m // 2 * 2 + 1) + 4)
        worker = deltas + images + sums + deltas
        shared = max(conductor, worker) * itemsize + 8 * (LEAD + AHEAD + RECORDS + DELTAS + 1)  # and barriers
        return cls(
            blocks,
            threads,
            inputs,
            preparing=32 * LEAD * _whole(m * m * itemsize, 512),
            record_bytes=record * itemsize,
            shared_bytes=_whole(shared, 16) * 16,
        )

    def macros(self, layers: tuple[int, ...], m: int) -> dict[str, int]:
        """Return the sizes that the kernels are compiled for."""
        pixels, hidden, outputs = layers
        return {
            "PIXELS": pixels,
            "HIDDEN": hidden,
            "OUTPUTS": outputs,
            "EXAMPLES": m,
            "BLOCKS": self.blocks,
            "THREADS": self.threads,
            "LEAD": LEAD,
            "PAIR": PAIR,
            "SHARED_BYTES": self.shared_bytes,
        }


def _whole(count: int, part: int) -> int:
    return -(-count // part)
