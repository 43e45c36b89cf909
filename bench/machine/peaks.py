"""Measured peaks of this machine: a large matrix product and a large copy; on a GPU, also kernel launches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.machine import memory
from bench.machine.roofline import Peaks

_PRODUCT = 1536  # rows of the square matrices, enough for BLAS to reach its peak
_COPIED, _LEAST_COPIED = 1 << 28, 1 << 25  # bytes, more than the caches of most processors; in a small container, at least 32 MiB
ROUNDS = 5
_ROUNDS_AGAIN = 2


def measure(device: str, dtype: str) -> Peaks:
    """Measure the peaks of the device, "cpu" or "gpu". On a CPU, the product uses all threads that NumPy may use."""
    if device == "gpu":
        from bench.machine import peaks_gpu

        return peaks_gpu.measure(dtype)
    copied = min(_COPIED, max(_LEAST_COPIED, memory.allowed().free // 4))  # a container ends a process that takes more than is free
    source = np.ones(copied // 2, np.uint8)
    target = np.empty_like(source)
    return Peaks(flops=_flops(dtype, ROUNDS), bytes=2 * source.nbytes / shortest(lambda: np.copyto(target, source)))


def measure_again(device: str, before: Peaks, dtype: str) -> Peaks:
    """Measure the product again with fewer rounds, and return `before` with the new rate, which drops if the machine slows down."""
    if device == "gpu":
        from bench.machine import peaks_gpu

        return replace(before, flops=peaks_gpu.measure_flops(dtype, _ROUNDS_AGAIN))
    return replace(before, flops=_flops(dtype, _ROUNDS_AGAIN))


def by_other_libraries(device: str, before: Peaks, dtype: str) -> Peaks:
    """Return `before` with the best rate of the product in NumPy and in the other libraries that this process has loaded.

    NumPy's BLAS may run kernels for an older processor where PyTorch's or JAX's does not. Only a CPU has such a choice.
    """
    if device == "gpu":
        return before
    a, b = _factors(dtype)
    products: list[Callable[[], object]] = []
    if torch := sys.modules.get("torch"):
        products.append(partial(torch.mm, torch.from_numpy(a), torch.from_numpy(b), out=torch.from_numpy(np.empty_like(a))))
    if (jax := sys.modules.get("jax")) and dtype == "float32":  # its default dtype
        with jax.default_device(jax.devices("cpu")[0]):
            one, other = jax.numpy.asarray(a), jax.numpy.asarray(b)
            products.append(lambda: jax.numpy.dot(one, other).block_until_ready())
    rates = [2 * _PRODUCT**3 / shortest(product, rounds=_ROUNDS_AGAIN) for product in products]
    return replace(before, flops=max(before.flops, *rates, 0.0))


def _flops(dtype: str, rounds: int) -> float:
    a, b = _factors(dtype)
    out = np.empty_like(a)
    return 2 * _PRODUCT**3 / shortest(lambda: np.dot(a, b, out=out), rounds=rounds)


def _factors(dtype: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    a, b = (rng.random((_PRODUCT, _PRODUCT), np.float64).astype(dtype) for _ in range(2))
    return a, b


def shortest(work: Callable[[], object], synchronize: Callable[[], object] = lambda: None, *, rounds: int = ROUNDS) -> float:
    """Return the shortest wall time of the rounds in seconds, after a warm-up. Each round ends when `synchronize` returns."""
    times = []
    for _ in range(1 + rounds):
        synchronize()
        begin = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - begin)
    return min(times[1:])
