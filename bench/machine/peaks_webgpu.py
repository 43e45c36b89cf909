"""Measured peaks of a WebGPU adapter: a large matrix product, a large copy, and the dispatch of an empty kernel.

WebGPU has no library of matrix products, so the product is the kernel of `webgpu` with its fastest tile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.machine.peaks import ROUNDS, shortest
from bench.machine.roofline import Peaks
from impls.webgpu_device import WebGpuDevice
from impls.webgpu_kernel import Compiler, Product

_PRODUCT = 2048  # rows of the square matrices
_COPIED = 1 << 28  # bytes read and written, if an array may have half as many
_LAUNCHES = 2000
_EMPTY = "@compute @workgroup_size(1) fn main() {}"


def measure(dtype: str, *, product: int = _PRODUCT, copied: int = _COPIED) -> Peaks:
    """Measure the peaks of the chosen adapter. product: rows of the matrices; copied: bytes read and written"""
    device = WebGpuDevice(dtype)
    return Peaks(
        flops=_flops(device, dtype, ROUNDS, product),
        bytes=_copy_rate(device, copied),
        launch=_launch_seconds(device),
    )


def measure_flops(dtype: str, rounds: int, *, product: int = _PRODUCT) -> float:
    """Measure the rate of the large product, in floating-point operations per second."""
    return _flops(WebGpuDevice(dtype), dtype, rounds, product)


def _flops(device: WebGpuDevice, dtype: str, rounds: int, size: int) -> float:
    rng, compiler = np.random.default_rng(0), Compiler(device.gpu, dtype)
    a, w = (device.copy("a matrix", rng.random((size, n), np.float64).astype(dtype)) for n in (size, size + 1))
    out = device.empty("a matrix", a.size)
    mini_batch = np.zeros(8, np.uint32)
    mini_batch[0] = size  # the examples; see mini_batch.wgsl
    with device.guarded():
        batch = compiler.uniform(device.table(mini_batch))
    shape = Product(size, size + 1, size)

    def seconds(tile: Any) -> float:
        with device.guarded():
            kernel = compiler.product("forward", shape, tile, [a, w, out], N=size, N_BELOW=size, BELOW_IS_IMAGES=False)

        def run() -> None:
            with device.submission() as commands:
                commands.set_bind_group(0, batch, [0])
                kernel.dispatch(commands)

        return _shortest(device, run, rounds)

    return 2 * size**2 * (size + 1) / min(map(seconds, shape.tiles("forward", device.most_sums)))


def _copy_rate(device: WebGpuDevice, copied: int) -> float:
    size = min(copied // 2, device.largest)
    source, target = (device.empty("a copy", size) for _ in range(2))

    def copy() -> None:
        with device.guarded():
            encoder = device.gpu.create_command_encoder()
            encoder.copy_buffer_to_buffer(source, 0, target, 0, size)
            device.gpu.queue.submit([encoder.finish()])

    return 2 * size / _shortest(device, copy)


def _launch_seconds(device: WebGpuDevice) -> float:
    with device.guarded():
        module = device.gpu.create_shader_module(code=_EMPTY)
        empty = device.gpu.create_compute_pipeline(layout="auto", compute={"module": module, "entry_point": "main"})

    def launches() -> None:
        with device.submission() as commands:
            commands.set_pipeline(empty)
            for _ in range(_LAUNCHES):
                commands.dispatch_workgroups(1)

    return _shortest(device, launches) / _LAUNCHES


def _shortest(device: WebGpuDevice, work: Callable[[], object], rounds: int = ROUNDS) -> float:
    return shortest(work, device.synchronize, rounds=rounds)
