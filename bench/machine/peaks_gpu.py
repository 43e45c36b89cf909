"""Measured peaks of a GPU, with CuPy: a large matrix product, a large copy, a kernel launch, a CUDA graph node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

from bench.machine.peaks import ROUNDS, shortest
from bench.machine.roofline import Peaks

_PRODUCT = 8192  # rows of the square matrices
_COPIED = 1 << 31  # bytes read and written, more than the cache of any GPU
_LAUNCHES = 2000


def measure(dtype: str) -> Peaks:
    """Measure the peaks of the current device, of CUDA or ROCm. float32 products do not use TF32, which CuPy enables only on request."""
    peaks = _measure(dtype)
    _free()
    return peaks


def measure_flops(dtype: str, rounds: int) -> float:
    """Measure the rate of the large product, as in `measure`, in floating-point operations per second."""
    flops = _flops(dtype, rounds)
    _free()
    return flops


def _free() -> None:
    """Free up to three gigabytes of device memory, which other programs may need."""
    cupy.get_default_memory_pool().free_all_blocks()


def _flops(dtype: str, rounds: int) -> float:
    a, b = (cupy.random.random((_PRODUCT, _PRODUCT), dtype) for _ in range(2))
    out = cupy.empty_like(a)
    return 2 * _PRODUCT**3 / shortest(lambda: cupy.dot(a, b, out=out), cupy.cuda.get_current_stream().synchronize, rounds=rounds)


def _measure(dtype: str) -> Peaks:
    source = cupy.ones(_COPIED // 2, cupy.uint8)
    target = cupy.empty_like(source)
    nothing = cupy.RawKernel('extern "C" __global__ void nothing() {}', "nothing")

    def launches() -> None:
        for _ in range(_LAUNCHES):
            nothing((1,), (1,), ())

    graph = None if cupy.cuda.runtime.is_hip else _captured(launches)  # CuPy cannot capture on ROCm
    synchronize = cupy.cuda.get_current_stream().synchronize
    return Peaks(
        flops=_flops(dtype, ROUNDS),
        bytes=2 * source.nbytes / shortest(lambda: cupy.copyto(target, source), synchronize),
        launch=shortest(launches, synchronize) / _LAUNCHES,
        node=shortest(graph.launch, synchronize) / _LAUNCHES if graph else None,
    )


def _captured(work: Callable[[], None]) -> Any:
    """Capture the kernels of `work` and return them as a CUDA graph."""
    work()  # compile before the capture
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        stream.begin_capture()
        work()
        graph = stream.end_capture()
    graph.upload(stream)
    return graph
