"""A trainer on any GPU, through WebGPU: Vulkan, Metal or DirectX 12."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.network import Network
from impls.trainer import Order, Trainer
from impls.webgpu_adapter import chosen
from impls.webgpu_device import WebGpuDevice
from impls.webgpu_kernel import ALIGNED, Compiler, Kernel, Product

_GATHERED = 1 << 24  # bytes of images that are gathered at once, if that is more than one mini-batch
_SUBMITTED_SECONDS = 0.25  # of work in a submission; an operating system may restart a GPU that takes 2 s
_TRIAL_SECONDS = 0.02  # of work, enough to time a step
_TRIALS = 3


class _DeviceOfAdapter:
    """The attribute `device`: "cpu" if the adapter is software, a program on the processor; otherwise "gpu"."""

    def __get__(self, trainer: Trainer | None, kind: type[Trainer]) -> str:
        accelerator = kind.accelerator()
        return "cpu" if accelerator and accelerator.kind == "software" else "gpu"


class WebGpu(Trainer):
    """Trains any number of layers. With L layers, a step is L - 1 forward kernels, `output`, L - 1 backward kernels, and L updates.

    On the device: all images (n, n_0), labels (n,), the epoch's order (n,), the gathered images of the next mini-batches, and of one
    mini-batch a_l of the hidden layers and delta_l, (m, n_l). w_l is (n_l, n_{l-1} + 1), with b_l as its last column.

    WebGPU has no graph that can be replayed, so every epoch encodes all its dispatches again, in submissions of up to a quarter of a
    second. The constructor measures how many steps that is, and which tiles are fastest for each product. No choice changes a bit of
    the result.

    Raises Unsupported if an array exceeds a limit of the adapter, and for float64 if the adapter has none.
    """

    library = "wgpu"
    device = _DeviceOfAdapter()

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        found = chosen()
        return found[0] if found else None

    @classmethod
    def unavailable(cls) -> str | None:
        if chosen():
            return None
        return "WebGPU: no adapter; install the driver of the graphics card, or Mesa's (on Debian and Ubuntu: mesa-vulkan-drivers)"

    def _setup(self, data: Dataset) -> None:
        pixels, m = self.layers[0], min(self.batch_size, self.examples)
        self._device = device = WebGpuDevice(self.dtype.name)
        with device.guarded():
            self._compiler = Compiler(device.gpu, self.dtype.name)

        size = self.dtype.itemsize
        gathered = min(_GATHERED, device.largest)
        self._stretch = max(1, min(gathered // (m * pixels * size), -(-self.examples // m)))  # mini-batches gathered at once
        x = device.empty("the images of a mini-batch", self._stretch * m * pixels * size)
        self._order = device.copy("the order", np.zeros(self.examples, np.uint32))
        labels = device.copy("the labels", data.labels.astype(np.uint32))
        self._w = [device.empty("the weights of a layer", n * (below + 1) * size) for below, n in pairwise(self.layers)]
        a = [x, *(device.empty("the activations of a layer", m * n * size) for n in self.layers[1:-1])]
        delta = [device.empty("the errors of a layer", m * n * size) for n in self.layers[1:]]

        self._mini_batches = self._uniform(self._table_of_mini_batches(m))
        with device.guarded():
            self._gathers = self._gather_kernels(data, x, m)
            self._kernels = self._kernels_of_a_step(m, a, delta, labels)
        self._steps_at_once = self._steps_in(_SUBMITTED_SECONDS)

    def _set_weights(self, network: Network) -> None:
        for array, w, b in zip(self._w, network.weights, network.biases, strict=True):
            self._device.write(array, np.concatenate([w, b], axis=1))

    def network(self) -> Network:
        shapes = [(n, below + 1) for below, n in pairwise(self.layers)]
        both = [self._device.read(array, self.dtype, shape) for array, shape in zip(self._w, shapes, strict=True)]
        return Network([w_and_b[:, :-1] for w_and_b in both], [w_and_b[:, -1:] for w_and_b in both])

    def _epoch(self, order: Order) -> None:
        self._device.write(self._order, order.astype(np.uint32))
        steps = -(-self.examples // self.batch_size)
        for first in range(0, steps, self._steps_at_once):
            self._submit(range(first, min(first + self._steps_at_once, steps)))

    def _synchronize(self) -> None:
        self._device.synchronize()

    def _submit(self, steps: range) -> None:
        """Encode some steps of the epoch and submit them. The first one must gather its images, or they must be there."""
        with self._device.submission() as commands:
            for step in steps:
                if step % self._stretch == 0:
                    for stretches, kernel in self._gathers:
                        commands.set_bind_group(0, stretches, [step // self._stretch * ALIGNED])
                        kernel.dispatch(commands)
                commands.set_bind_group(0, self._mini_batches, [step * ALIGNED])
                for kernel in self._kernels:
                    kernel.dispatch(commands)

    def _kernels_of_a_step(self, m: int, a: list[Any], delta: list[Any], labels: Any) -> list[Kernel]:
        """Return the kernels in their order. m: examples of a whole mini-batch; a: a_0 .. a_{L-1}; delta: delta_1 .. delta_L"""
        layers, w, last = self.layers, self._w, len(self._w) - 1
        kernels = []
        for i, (below, n) in enumerate(pairwise(layers)):
            sizes = {"N": n, "N_BELOW": below, "BELOW_IS_IMAGES": i == 0}
            product = Product(m, below + 1, n)
            if i < last:
                kernels.append(self._fastest("forward", product, [a[i], w[i], a[i + 1]], **sizes))
            else:
                kernels.append(self._fastest("output", product, [a[i], w[i], self._order, labels, delta[i]], **sizes))
        for i in reversed(range(last)):
            n, above = layers[i + 1], layers[i + 2]
            kernels.append(
                self._fastest("backward", Product(m, above, n), [delta[i + 1], w[i + 1], a[i + 1], delta[i]], N=n, N_ABOVE=above)
            )
        for i, (below, n) in enumerate(pairwise(layers)):
            sizes = {"N": n, "N_BELOW": below, "BELOW_IS_IMAGES": i == 0}
            kernels.append(self._fastest("update", Product(n, m, below + 1), [a[i], delta[i], w[i]], **sizes))
        return kernels

    def _fastest(self, name: str, product: Product, arrays: list[Any], **constants: int | bool) -> Kernel:
        """Return a kernel with the tile that is the fastest of those worth trying."""
        kernels = [self._compiler.product(name, product, tile, arrays, **constants) for tile in product.tiles(name, self.dtype.itemsize)]
        return min(kernels, key=self._seconds) if len(kernels) > 1 else kernels[0]

    def _seconds(self, kernel: Kernel) -> float:
        """Return the shortest time of a dispatch in up to three trials, with the epoch's first mini-batch."""
        self._time(kernel)  # a driver may compile at the first dispatch
        taken: list[float] = []
        while len(taken) < _TRIALS and sum(taken) < _TRIAL_SECONDS:
            taken.append(self._time(kernel))
        return min(taken)

    def _time(self, kernel: Kernel) -> float:
        begin = time.perf_counter()
        with self._device.submission() as commands:
            commands.set_bind_group(0, self._mini_batches, [0])
            kernel.dispatch(commands)
        self._synchronize()
        return time.perf_counter() - begin

    def _steps_in(self, seconds: float) -> int:
        """Return how many steps take about that long, at least one. The driver compiles the kernels here."""
        steps = -(-self.examples // self.batch_size)
        self._submit(range(1))
        self._synchronize()
        tried = 1
        while True:
            begin = time.perf_counter()
            self._submit(range(min(tried, steps)))
            self._synchronize()
            taken = time.perf_counter() - begin
            if taken > _TRIAL_SECONDS or tried >= steps:
                return max(1, int(seconds / taken * min(tried, steps)))
            tried *= 2

    def _gather_kernels(self, data: Dataset, x: Any, m: int) -> list[tuple[Any, Kernel]]:
        """Upload the images in as many arrays as they need, and return for each its kernel, and its structures of all stretches."""
        pixels = self.layers[0]
        rows = self._device.largest // (pixels * self.dtype.itemsize)
        kernels = []
        for first in range(0, self.examples, max(rows, 1)):
            images = self._device.copy("the images", data.images[first : first + max(rows, 1)].astype(self.dtype))
            held = min(rows, self.examples - first)
            starts = range(0, self.examples, self._stretch * m)
            table = _table({"start": 0, "count": 4, "first": 8, "held": 12}, np.uint32, len(starts))
            for row, start in zip(table, starts, strict=True):
                row["start"], row["count"] = start, min(self._stretch * m, self.examples - start)
                row["first"], row["held"] = first, held
            kernel = self._compiler.gather([images, self._order, x], self._stretch * m, PIXELS=pixels)
            kernels.append((self._uniform(table), kernel))
        return kernels

    def _table_of_mini_batches(self, m: int) -> np.ndarray[Any, Any]:
        """Return a struct MiniBatch for each step of the epoch."""
        starts = range(0, self.examples, m)
        table = _table({"examples": 0, "start": 4, "row": 8, "rate": 16}, self.dtype, len(starts))
        for step, (row, start) in enumerate(zip(table, starts, strict=True)):
            examples = min(m, self.examples - start)
            row["examples"], row["start"], row["row"] = examples, start, step % self._stretch * m
            row["rate"] = self.learning_rate / examples
        return table

    def _uniform(self, table: np.ndarray[Any, Any]) -> Any:
        with self._device.guarded():
            return self._compiler.uniform(self._device.table(table))


def _table(offsets: dict[str, int], last: Any, rows: int) -> np.ndarray[Any, Any]:
    """Return rows of a structure of 32-bit integers, except for the last member. offsets: of the members"""
    formats = [np.dtype(np.uint32)] * (len(offsets) - 1) + [np.dtype(last)]
    return np.zeros(rows, np.dtype({"names": list(offsets), "formats": formats, "offsets": list(offsets.values()), "itemsize": ALIGNED}))
