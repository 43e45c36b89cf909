"""A trainer on any GPU, through WebGPU: Vulkan, Metal or DirectX 12."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.network import Network
from impls.trainer import Order, Trainer
from impls.webgpu_adapter import chosen
from impls.webgpu_device import WebGpuDevice
from impls.webgpu_kernel import Compiler, Kernel, Product

_GATHERED = 1 << 24  # bytes of images that are gathered at once, if that is more than one mini-batch
_SUBMISSION_SECONDS = 0.25  # of work in a submission: an operating system may restart a GPU that does not answer for 2 s
_TRIALS, _TRIAL_SECONDS = 3, 0.02  # of a kernel: dispatches at most, and time, which is also enough to time a step


class _DeviceOfAdapter:
    """The attribute `device`: "cpu" if the adapter is software, a program on the processor; otherwise "gpu"."""

    def __get__(self, trainer: Trainer | None, kind: type[Trainer]) -> str:
        accelerator = kind.accelerator()
        return "cpu" if accelerator and accelerator.kind == "software" else "gpu"


class Gather(NamedTuple):
    """The gathering of the images in one array: its kernel, and its struct Stretch on the host and on the device, there as a bind group."""

    kernel: Kernel
    stretch: Any
    buffer: Any
    bound: Any


class WebGpu(Trainer):
    """Trains any number of layers. With L layers, a step is L - 1 forward kernels, `output`, L - 1 backward kernels, and L updates.

    On the device: all images (n, n_0), labels (n,), the epoch's order (n,), the gathered images x of the next mini-batches, and of one
    mini-batch a_l of the hidden layers and delta_l, (m, n_l). w_l is (n_l, n_{l-1} + 1), with b_l as its last column. Images that exceed
    the adapter's largest array are divided among several.

    WebGPU has no graph that can be replayed, so every epoch encodes all its dispatches again, in submissions of about a quarter of a
    second; if a step takes longer, each of its kernels is a submission. The constructor measures how many steps that is, and which tiles
    are the fastest for each product. All tiles add in the same order.

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
        self._m = m = min(self.batch_size, self.examples)
        self._steps = -(-self.examples // m)
        self._device = device = WebGpuDevice(self.dtype.name)
        with device.guarded():
            self._compiler = Compiler(device.gpu, self.dtype.name)

        if (longest := max(m, *self.layers) + 1) > device.longest_sum:
            raise Unsupported(f"{device.facts}: sums of {longest:,} terms, and its limit is {device.longest_sum:,}; use matrix")
        size, pixels = self.dtype.itemsize, self.layers[0]
        self._most_steps = max(1, min(min(_GATHERED, device.largest) // (m * pixels * size), self._steps))
        self._x = device.empty("the images of a mini-batch", self._most_steps * m * pixels * size)
        self._w = [device.empty("the weights of a layer", n * (below + 1) * size) for below, n in pairwise(self.layers)]
        a = [self._x, *(device.empty("the activations of a layer", m * n * size) for n in self.layers[1:-1])]
        delta = [device.empty("the errors of a layer", m * n * size) for n in self.layers[1:]]
        labels = device.copy("the labels", data.labels.astype(np.uint32))
        self._order = device.copy("the order", np.zeros(self.examples, np.uint32))

        self._table = self._table_of_mini_batches()
        self._mini_batches = device.table(self._table)
        with device.guarded():
            self._mini_batch = self._compiler.uniform(self._mini_batches)
            self._gathers = self._gather_kernels(data)
            self._kernels = self._kernels_of_a_step(a, delta, labels)
        self._submissions = [[kernel] for kernel in self._kernels]  # until it is known that a step does not take too long for one
        self._steps_at_once = self._steps_in(_SUBMISSION_SECONDS)
        self._table["row"] = np.arange(self._steps) % self._steps_at_once * m
        device.write(self._mini_batches, self._table)

    def _set_weights(self, network: Network) -> None:
        for array, w, b in zip(self._w, network.weights, network.biases, strict=True):
            self._device.write(array, np.concatenate([w, b], axis=1))

    def network(self) -> Network:
        shapes = [(n, below + 1) for below, n in pairwise(self.layers)]
        both = [self._device.read(array, self.dtype, shape) for array, shape in zip(self._w, shapes, strict=True)]
        return Network([w_and_b[:, :-1] for w_and_b in both], [w_and_b[:, -1:] for w_and_b in both])

    def _epoch(self, order: Order) -> None:
        self._device.write(self._order, order.astype(np.uint32))
        for first in range(0, self._steps, self._steps_at_once):
            self._submit(range(first, min(first + self._steps_at_once, self._steps)))

    def _synchronize(self) -> None:
        self._device.synchronize()

    def _submit(self, steps: range) -> None:
        """Encode some steps, after the gathering of their images, and submit them: together, or each kernel of a step by itself."""
        start = steps.start * self._m
        for one in self._gathers:
            one.stretch["start"], one.stretch["examples"] = start, min(len(steps) * self._m, self.examples - start)
            self._device.write(one.buffer, one.stretch)
        for number, kernels in enumerate(self._submissions):
            with self._device.submission() as commands:
                for one in self._gathers if number == 0 else ():
                    commands.set_bind_group(0, one.bound, [0])
                    one.kernel.dispatch(commands)
                for step in steps:
                    commands.set_bind_group(0, self._mini_batch, [step * self._compiler.aligned])
                    for kernel in kernels:
                        kernel.dispatch(commands)

    def _steps_in(self, seconds: float) -> int:
        """Return how many steps take about that long, at most as many as x has room for. If one takes longer, return 1."""
        self._seconds_of(1)  # the driver may compile here
        if self._seconds_of(1) > seconds:
            return 1  # each kernel stays a submission of its own
        self._submissions = [self._kernels]
        tried = 1
        while (taken := self._seconds_of(tried)) < _TRIAL_SECONDS and tried < self._most_steps:
            tried = min(2 * tried, self._most_steps)
        return max(1, min(int(seconds / taken * tried), self._most_steps))

    def _seconds_of(self, steps: int) -> float:
        begin = time.perf_counter()
        self._submit(range(steps))
        self._synchronize()
        return time.perf_counter() - begin

    def _table_of_mini_batches(self) -> Any:
        """Return a struct MiniBatch for each step of the epoch. Its row, in x, is that of a submission with the most steps."""
        table = _structures({"examples": 0, "start": 4, "row": 8, "rate": 16}, self.dtype, self._steps)
        table["start"] = np.arange(self._steps) * self._m
        table["examples"] = np.minimum(self._m, self.examples - table["start"].astype(np.int64))
        table["row"] = np.arange(self._steps) % self._most_steps * self._m
        table["rate"] = self.learning_rate / table["examples"]
        return table

    def _gather_kernels(self, data: Dataset) -> list[Gather]:
        """Upload the images, to as many arrays as they need."""
        pixels = self.layers[0]
        rows = max(1, self._device.largest // (pixels * self.dtype.itemsize))
        found = []
        for first in range(0, self.examples, rows):
            images = self._device.copy("the images", data.images[first : first + rows].astype(self.dtype))
            stretch = _structures({"start": 0, "examples": 4, "first": 8, "held": 12}, np.uint32, 1)
            stretch["first"], stretch["held"] = first, min(rows, self.examples - first)
            buffer = self._device.table(stretch)
            kernel = self._compiler.gather([images, self._order, self._x], self._most_steps * self._m, PIXELS=pixels)
            found.append(Gather(kernel, stretch, buffer, self._compiler.uniform(buffer)))
        return found

    def _kernels_of_a_step(self, a: list[Any], delta: list[Any], labels: Any) -> list[Kernel]:
        """Return the kernels in their order. a: a_0 .. a_{L-1}; delta: delta_1 .. delta_L"""
        m, layers, w, last = self._m, self.layers, self._w, len(self._w) - 1
        kernels = []
        for i, (below, n) in enumerate(pairwise(layers)):
            name, arrays = ("forward", [a[i + 1]]) if i < last else ("output", [self._order, labels, delta[i]])
            product = Product(m, below + 1, n)
            kernels.append(self._fastest(name, product, [a[i], w[i], *arrays], N=n, N_BELOW=below, BELOW_IS_IMAGES=i == 0))
        for i in reversed(range(last)):
            n, above = layers[i + 1], layers[i + 2]
            arrays = [delta[i + 1], w[i + 1], a[i + 1], delta[i]]
            kernels.append(self._fastest("backward", Product(m, above, n), arrays, N=n, N_ABOVE=above))
        for i, (below, n) in enumerate(pairwise(layers)):
            arrays = [a[i], delta[i], w[i]]
            kernels.append(self._fastest("update", Product(n, m, below + 1), arrays, N=n, N_BELOW=below, BELOW_IS_IMAGES=i == 0))
        return kernels

    def _fastest(self, name: str, product: Product, arrays: list[Any], **constants: int | bool) -> Kernel:
        """Return a kernel with the tile that is the fastest of those worth trying."""
        tiles = product.tiles(name, self._device.most_sums)
        kernels = [self._compiler.product(name, product, tile, arrays, **constants) for tile in tiles]
        return min(kernels, key=self._seconds) if len(kernels) > 1 else kernels[0]

    def _seconds(self, kernel: Kernel) -> float:
        """Return the shortest time of some dispatches, with the epoch's first mini-batch."""
        self._time(kernel)  # a driver may compile at the first dispatch
        taken: list[float] = []
        while len(taken) < _TRIALS and sum(taken) < _TRIAL_SECONDS:
            taken.append(self._time(kernel))
        return min(taken)

    def _time(self, kernel: Kernel) -> float:
        begin = time.perf_counter()
        with self._device.submission() as commands:
            commands.set_bind_group(0, self._mini_batch, [0])
            kernel.dispatch(commands)
        self._synchronize()
        return time.perf_counter() - begin


def _structures(offsets: dict[str, int], last: Any, rows: int) -> np.ndarray[Any, Any]:
    """Return zeroed structures for a uniform buffer. offsets: of the members; last: dtype of the last one, the others are uint32"""
    formats = [np.dtype(np.uint32)] * (len(offsets) - 1) + [np.dtype(last)]
    members: Any = {"names": list(offsets), "formats": formats, "offsets": list(offsets.values()), "itemsize": Compiler.aligned}
    return np.zeros(rows, np.dtype(members))
