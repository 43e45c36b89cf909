"""What this machine does at most, measured: a large matrix product and a large copy; on a GPU, launches too."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from bench.machine.roofline import Peaks

_PRODUCT = 1536  # rows of the square matrices: large enough for BLAS to reach its best
_COPIED = 1 << 28  # bytes: more than the caches of most processors
_ROUNDS = 5


def measure(device: str, dtype: str) -> Peaks:
    """Measure what the device, "cpu" or "gpu", does at most, now. On a CPU: with the threads that NumPy may use."""
    if device == "gpu":
        from bench.machine import peaks_gpu

        return peaks_gpu.measure(dtype)
    return _measure(dtype)


def _measure(dtype: str) -> Peaks:
    rng = np.random.default_rng(0)
    a, b = (rng.random((_PRODUCT, _PRODUCT), np.float64).astype(dtype) for _ in range(2))
    out = np.empty_like(a)
    source = np.ones(_COPIED // 2, np.uint8)
    target = np.empty_like(source)
    return Peaks(
        flops=2 * _PRODUCT**3 / shortest(lambda: np.dot(a, b, out=out)),
        bytes=2 * source.nbytes / shortest(lambda: np.copyto(target, source)),
    )


def shortest(work: Callable[[], object], synchronize: Callable[[], object] = lambda: None) -> float:
    """Return the shortest wall time of a few, in seconds, after one that is not counted; each until `synchronize` returns."""
    times = []
    for _ in range(1 + _ROUNDS):
        synchronize()
        begin = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])
