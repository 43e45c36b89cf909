"""A device of WebGPU with its arrays: what is too large for it, and what its driver refuses or loses, becomes one line for the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import wgpu

from impls.errors import DeviceError, Unsupported
from impls.webgpu_adapter import chosen

_ARRAY = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_SRC | wgpu.BufferUsage.COPY_DST
_FLOAT64 = "shader-f64"
_LIMITS = ("max-storage-buffer-binding-size", "max-buffer-size")  # the only ones above WebGPU's default that are requested


class WebGpuDevice:
    """A device of the chosen adapter.

    largest      bytes of the largest array; largest_buffer: of one that kernels read a part of
    most_sums    sums that a thread may keep: as many as a GPU's registers hold; in software more, but Mesa takes a minute to compile that
                 many in float64
    longest_sum  terms of a sum: Mesa's software ends the loops of a kernel after 65,535 iterations, of which a term takes up to two
    """

    def __init__(self, dtype: str) -> None:
        """Open the device. Raises Unsupported if there is no adapter, or it does not compute in this dtype."""
        found = chosen()
        if found is None:
            raise Unsupported("WebGPU: no adapter")
        self.facts, adapter = found
        if dtype == "float64" and _FLOAT64 not in adapter.features:
            raise Unsupported(f"{self.facts}: no float64; give --dtype float32")
        binding, self.largest_buffer = (int(adapter.limits[name]) // 4 * 4 for name in _LIMITS)
        self.largest = min(binding, self.largest_buffer)
        is_software = self.facts.kind == "software"
        self.most_sums = 256 if is_software and dtype == "float32" else 64
        self.longest_sum = 30_000 if is_software else sys.maxsize
        with self.guarded():
            self.gpu = adapter.request_device_sync(
                required_features=[_FLOAT64] if dtype == "float64" else [],
                required_limits={name: adapter.limits[name] for name in _LIMITS},
            )
        self._nothing = self.empty("a number", 4)

    def empty(self, what: str, size: int) -> Any:
        """Return an array of zeros. what: its content, for the message; size: bytes. Raises Unsupported if it is too large."""
        self._fits(what, size, self.largest)
        with self.guarded():
            return self.gpu.create_buffer(size=-(-size // 4) * 4, usage=_ARRAY)

    def _fits(self, what: str, size: int, limit: int) -> None:
        if size > limit:
            raise Unsupported(f"{self.facts}: {what} need {size / 2**20:,.0f} MiB, and its limit is {limit / 2**20:,.0f} MiB; use matrix")

    def copy(self, what: str, values: npt.NDArray[Any]) -> Any:
        """Return an array with a copy of the values. Arguments and errors are those of `empty`."""
        array = self.empty(what, values.nbytes)
        self.write(array, values)
        return array

    def table(self, values: npt.NDArray[Any]) -> Any:
        """Return a uniform buffer with a copy of the values. Raises Unsupported if it is too large."""
        self._fits("the mini-batches of an epoch", values.nbytes, self.largest_buffer)
        with self.guarded():
            return self.gpu.create_buffer_with_data(data=values, usage=wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST)

    def write(self, array: Any, values: npt.NDArray[Any]) -> None:
        """Copy the values into an array."""
        with self.guarded():
            self.gpu.queue.write_buffer(array, 0, np.ascontiguousarray(values))

    def read(self, array: Any, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Return a copy of an array on the host, when all work that was submitted before is finished."""
        with self.guarded():
            return np.frombuffer(self.gpu.queue.read_buffer(array), dtype).reshape(shape).copy()

    def synchronize(self) -> None:
        """Wait until all submitted work is finished. A read waits for it; wgpu 0.32 has no other public function that works."""
        with self.guarded():
            self.gpu.queue.read_buffer(self._nothing)

    @contextmanager
    def submission(self) -> Iterator[Any]:
        """Yield a compute pass, to encode dispatches, and submit it at the end of the block."""
        with self.guarded():
            encoder = self.gpu.create_command_encoder()
            commands = encoder.begin_compute_pass()
            yield commands
            commands.end()
            self.gpu.queue.submit([encoder.finish()])

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Raise Unsupported for an error of wgpu in the block, or DeviceError if the device is lost."""
        try:
            yield
        except wgpu.GPUOutOfMemoryError as error:
            raise Unsupported(f"{self.facts}: out of memory; train on fewer --examples, or choose another --adapter") from error
        except (wgpu.GPUError, RuntimeError) as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            if "lost" in str(error).lower():
                fix = "the next case opens it again; if it happens again, update its driver"
                raise DeviceError(f"{self.facts}: the device was lost ({lines[-1]}); {fix}") from error
            raise Unsupported(f"{self.facts.described()}: refuses the trainer: {lines[-1]}; update its driver, or use matrix") from error
