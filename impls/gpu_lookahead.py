"""A trainer that does most of a step's arithmetic before it knows the step's weights, with one kernel for all steps."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_kernels import GpuKernels, ceil_divide
from impls.trainer import Order

LEAD = 3  # steps between the weights of a product and the weights of the step that uses it
HELPERS = (10, 8)  # warps of the conductor in addition to one for each example, in order of preference
ADDERS = 3  # smallest number of a worker's warps that do not multiply
MOST = 32  # largest mini-batch
SIDE, AHEAD, RECORDS, DELTAS = 16, 4, 4, 4  # as in lookahead_layout.cuh
FILES = (
    *("hardware.cuh", "clocks.cuh", "sigmoid.cuh", "warp.cuh"),
    *("lookahead_layout.cuh", "lookahead_prepare.cuh", "lookahead_conductor.cuh", "lookahead_worker.cuh", "lookahead.cu"),
)
PORTABLE = 8  # the largest cluster that every device of compute capability 9.0 and later supports
NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14  # a CUfunction_attribute


class GpuLookahead(GpuKernels):
    """Trains with kernels/lookahead.cu, for one hidden layer and small mini-batches, on a cluster of blocks (compute capability 9.0).

    One block computes delta from z, step by step. The other blocks keep the first layer's weights in registers, each for a slice of the
    pixels, and multiply ahead of it. On an H100, 14 blocks were faster than 8 or 16.
    Raises Unsupported if the device is older, or if the network or the mini-batch does not fit the registers and the shared memory.

    Also on the device: images (n, inputs), each with a 1 after its pixels; labels (n,), as 32-bit integers; and for each step the
    products of its images with those of earlier steps. The cluster leaves most of the device idle. So another stream computes these
    products, except for those of the first steps, while the cluster trains the first steps.

    blocks       numbers of blocks of the cluster, in order of preference; the device may refuse more than 8
    first_steps  steps that the cluster trains meanwhile: enough to take longer than the products of all later steps
    """

    blocks: ClassVar[tuple[int, ...]] = (14, 8)
    first_steps: ClassVar[int] = 512
    spare_bytes: ClassVar[int] = 0  # of device memory after the records, for an experiment

    def _setup(self, data: Dataset) -> None:
        xp = self.xp
        device = xp.cuda.Device()
        capability, shared_limit = int(device.compute_capability), device.attributes["MaxSharedMemoryPerBlockOptin"]
        if capability < 90:
            raise Unsupported(f"gpu_lookahead: needs compute capability 9.0; this device has {capability / 10}")
        self._m = min(self.batch_size, self.examples)
        fits = self._fits(shared_limit)
        super()._setup(data)
        pixels, inputs = self.layers[0], fits[0].inputs
        images = xp.zeros((self.examples, inputs), self.dtype)
        images[:, :pixels] = self._images
        images[:, pixels] = 1
        self._images = images
        self._labels = xp.asarray(data.labels.astype(np.int32))
        self._records = xp.zeros(self._steps(self.examples) * fits[0].record_bytes + self.spare_bytes, np.uint8)
        self._stream = xp.cuda.Stream(non_blocking=True, priority=-1)  # high priority: its kernels start first
        self._beside = xp.cuda.Stream(non_blocking=True)
        self._begun, self._prepared = xp.cuda.Event(disable_timing=True), xp.cuda.Event(disable_timing=True)
        self._synchronize()
        for self._fit in fits:
            if self._granted(self._fit):
                return
        raise Unsupported(f"gpu_lookahead: needs a cluster of {fits[-1].blocks} blocks; this device does not support so many")

    def _fits(self, shared_limit: int) -> list[LookaheadFit]:
        """Return the fits, at most one for each number of blocks. Raises Unsupported, with the last reason, if there are none."""
        fits, reason = [], None
        for blocks in self.blocks:
            try:
                fits.append(LookaheadFit.of(self.layers, self._m, self.dtype.itemsize, blocks, shared_limit))
            except Unsupported as error:
                reason = error
        if not fits and reason:
            raise reason
        return fits

    def _granted(self, fit: LookaheadFit) -> bool:
        """Compile the kernels for a fit and train one step. Return whether the device can run a cluster of this size."""
        driver = self.xp.cuda.driver
        self._prepare, self._train = self._compiled(FILES, ("prepare", "epoch"), **fit.macros(self.layers, self._m))
        self._train.max_dynamic_shared_size_bytes = fit.shared_bytes
        if fit.blocks <= PORTABLE:
            return True
        driver.funcSetAttribute(self._train.kernel.ptr, NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1)
        try:
            with self._stream:
                self._launch_training(fit, 0, self._m)
        except driver.CUDADriverError:
            return False
        self._stream.synchronize()  # otherwise this step could still run while `load` sets the weights on another stream
        return True

    def _epoch(self, order: Order) -> None:
        fit, n, first = self._fit, self.examples, min(self.first_steps * self._m, self.examples)
        with self._stream:
            self._send(order, 0, first)
            self._launch_preparation(fit, 0, first)
            self._begun.record(self._stream)
            self._launch_training(fit, 0, first)
        if first == n:
            return
        with self._beside:
            self._send(order, first, n)
            self._beside.wait_event(self._begun)
            self._launch_preparation(fit, first, n)
            self._prepared.record(self._beside)
        self._stream.wait_event(self._prepared)
        with self._stream:
            self._launch_training(fit, first, n)

    def _synchronize(self) -> None:
        super()._synchronize()
        self._stream.synchronize()

    def _launch_preparation(self, fit: LookaheadFit, begin: int, end: int) -> None:
        """Launch the kernel that computes the records of the steps on the order's examples begin to end - 1; begin starts a mini-batch."""
        arguments = (self._images, self._labels, self._order[begin:], self._records_from(fit, begin), np.int32(end - begin))
        self._prepare((self._steps(end - begin),), (fit.preparing,), arguments)

    def _launch_training(self, fit: LookaheadFit, begin: int, end: int) -> None:
        """Launch the training of these steps, whose records must exist. A launch of more steps may differ in rounding."""
        n, m, (w_1, w_2), (b_1, b_2) = end - begin, self._m, self._w, self._b
        rates = (self.dtype.type(self.learning_rate / size) for size in (m, n - (self._steps(n) - 1) * m))
        arguments = (self._images, self._order[begin:], self._records_from(fit, begin), w_1, b_1, w_2, b_2, np.int32(n), *rates)
        self._train((fit.blocks,), (fit.threads,), arguments, shared_mem=fit.shared_bytes)

    def _records_from(self, fit: LookaheadFit, begin: int) -> Any:
        return self._records[self._steps(begin) * fit.record_bytes :]

    def _steps(self, examples: int) -> int:
        return ceil_divide(examples, self._m)


class LookaheadFit(NamedTuple):
    """The layout of a network and a mini-batch in the blocks.

    blocks        blocks of the cluster
    threads       threads of a block
    inputs        inputs of an image: the pixels, a 1, and 0s up to a multiple of 16 bytes
    preparing     threads of a block of `prepare`
    record_bytes  device memory for a step
    shared_bytes  shared memory of a block
    """

    blocks: int
    threads: int
    inputs: int
    preparing: int
    record_bytes: int
    shared_bytes: int

    @classmethod
    def of(cls, layers: tuple[int, ...], m: int, itemsize: int, blocks: int, shared_limit: int) -> LookaheadFit:
        """Return the fit for mini-batches of m examples.

        shared_limit  bytes of shared memory available to a block on the device

        Raises Unsupported, with the reason, if they do not fit.
        """
        if len(layers) != 3:
            raise Unsupported(f"gpu_lookahead: needs one hidden layer; {'-'.join(map(str, layers))} has {len(layers) - 2}")
        if m > MOST:
            raise Unsupported(f"gpu_lookahead: batch {m} is larger than {MOST}; use gpu_graph")
        pixels, hidden, outputs = layers
        quad = 16 // itemsize  # numbers in 16 bytes
        inputs, line = ceil_divide(pixels + 1, quad) * quad, ceil_divide(m, quad) * quad
        units, lanes = ceil_divide(hidden, 2 * quad) * 2 * quad, ceil_divide(hidden + 1, 32) * 32
        quads = ceil_divide(ceil_divide(inputs // quad, blocks - 1), SIDE)  # of pixels, for each thread of a worker
        warps = (max(m + helpers, units // quad * SIDE // 32 + ADDERS) for helpers in HELPERS)
        most = min(65536 // (4 * quads * quad + 64), 1024)  # threads with enough registers for the weights and the rest
        threads = next((32 * count for count in warps if 32 * count <= most), None)
        if threads is None:
            raise Unsupported(f"gpu_lookahead: {pixels}-{hidden}-{outputs}, batch {m}, does not fit the registers; use gpu_graph")

        # The structs of lookahead_layout.cuh
        message, record = m * units, LEAD * m * line + line
        parts, deltas = (LEAD + 1) * (blocks - 1) * message, DELTAS * message
        delta2 = m * ceil_divide(outputs, quad) * quad + outputs * line
        conductor = parts + RECORDS * record + deltas + delta2 + 2 * message + (m + outputs) * lanes
        images, sums = (LEAD + AHEAD + 1) * m * quads * SIDE * quad, 2 * units * (SIDE * (m // 2 * 2 + 1) + 4)
        worker = deltas + images + sums + deltas
        barriers = 8 * (LEAD + AHEAD + RECORDS + DELTAS + 1)
        shared = ceil_divide(max(conductor, worker) * itemsize + barriers, 16) * 16
        if shared > shared_limit:
            raise Unsupported(
                f"gpu_lookahead: {pixels}-{hidden}-{outputs}, batch {m}, needs {shared / 1024:.0f} KiB of shared memory per block; "
                f"this device has {shared_limit / 1024:.0f}"
            )
        return cls(
            blocks,
            threads,
            inputs,
            preparing=32 * LEAD * ceil_divide(m * m * itemsize, 512),
            record_bytes=record * itemsize,
            shared_bytes=shared,
        )

    def macros(self, layers: tuple[int, ...], m: int) -> dict[str, int]:
        """Return the macros to compile the kernels with: their sizes."""
        pixels, hidden, outputs = layers
        return {
            "PIXELS": pixels,
            "HIDDEN": hidden,
            "OUTPUTS": outputs,
            "EXAMPLES": m,
            "BLOCKS": self.blocks,
            "THREADS": self.threads,
            "LEAD": LEAD,
            "SHARED_BYTES": self.shared_bytes,
        }
