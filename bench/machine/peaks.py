"""Measured peaks of this machine: a large matrix product and a large copy; on a GPU, also kernel launches.

A library measures the peaks of the device that it computes on: "numpy" those of the processors, the other ones those of a GPU.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.machine import memory
from bench.machine.roofline import Peaks
from impls import Trainer, unavailable

_PRODUCT = 1536  # rows of the square matrices, enough for BLAS to reach its peak
_COPIED, _LEAST_COPIED = 1 << 28, 1 << 25  # bytes, more than the caches of most processors; in a small container, at least 32 MiB
ROUNDS = 5
_ROUNDS_AGAIN = 2
_TRIES = 3  # measurements of the product that a trainer above the peak needs
_ON_GPU = ("cupy", "torch", "wgpu", "mlx")  # libraries that measure a GPU


def library_for(trainer: type[Trainer]) -> str:
    """Return the library that measures the peaks of a trainer's device: its own, but CuPy in place of PyTorch if it is available.

    A trainer on a GPU whose library has no such module here needs CuPy.
    """
    if trainer.device == "cpu":
        return "numpy"
    library = trainer.library.partition(".")[0]
    return library if library in _ON_GPU and not (library == "torch" and not unavailable("gpu")) else "cupy"


def measure(library: str, dtype: str) -> Peaks:
    """Measure the peaks with a library. NumPy's product uses all threads that it may use."""
    if library != "numpy":
        peaks: Peaks = _module(library).measure(dtype)
        return peaks
    return Peaks(flops=product_rate(dtype), bytes=copy_rate())


def _module(library: str) -> Any:
    """Return the module that measures with a library. It imports the library."""
    if library == "torch":
        from bench.machine import peaks_torch

        return peaks_torch
    if library == "wgpu":
        from bench.machine import peaks_webgpu

        return peaks_webgpu
    if library == "mlx":
        from bench.machine import peaks_mlx

        return peaks_mlx
    from bench.machine import peaks_gpu

    return peaks_gpu


def copy_rate(threads: int = 1) -> float:
    """Measure the rate of a large copy, in bytes read and written per second. Each thread copies a part."""
    copied = min(_COPIED, max(_LEAST_COPIED, memory.allowed().free // 4))  # a container ends a process that takes more than is free
    source = np.ones(copied // 2, np.uint8)
    target = np.empty_like(source)
    parts = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    if threads == 1:
        return 2 * source.nbytes / shortest(lambda: np.copyto(target, source))
    with ThreadPoolExecutor(threads) as pool:  # NumPy releases the GIL
        return 2 * source.nbytes / shortest(lambda: list(pool.map(np.copyto, *zip(*parts, strict=True))))


def product_rate(dtype: str, rounds: int = ROUNDS, *, size: int = _PRODUCT) -> float:
    """Measure the rate of a product of two square matrices of `size` rows, in floating-point operations per second."""
    a, b = _factors(dtype, size)
    out = np.empty_like(a)
    return 2 * size**3 / shortest(lambda: np.dot(a, b, out=out), rounds=rounds)


def measure_again(library: str, before: Peaks, dtype: str) -> Peaks:
    """Measure the product again with fewer rounds, and return `before` with the new rate, which drops if the machine slows down."""
    if library != "numpy":
        return replace(before, flops=_module(library).measure_flops(dtype, _ROUNDS_AGAIN))
    return replace(before, flops=product_rate(dtype, _ROUNDS_AGAIN))


def best(measured: list[Peaks], enough: Callable[[Peaks], bool], library: str, dtype: str) -> Peaks:
    """Return the best of the measurements, of which there may be none yet. A peak is a maximum, not an average.

    enough  whether a trainer can have been as fast as it was, given these peaks. While it cannot, the product is measured again, and then
            in the other libraries that this process has loaded. `measured` keeps all measurements of the product in the library.
    """
    while not measured or (len(measured) < _TRIES and not enough(reduce(Peaks.at_best, measured))):
        measured.append(measure_again(library, measured[0], dtype) if measured else measure(library, dtype))
    fastest = reduce(Peaks.at_best, measured)
    return fastest if library != "numpy" or enough(fastest) else by_other_libraries(fastest, dtype)


def by_other_libraries(before: Peaks, dtype: str) -> Peaks:
    """Return `before` with the best rate of the product in NumPy and in the other libraries that this process has loaded.

    NumPy's BLAS may run kernels for an older processor where PyTorch's or JAX's does not.
    """
    a, b = _factors(dtype)
    rates = [before.flops]
    for product in (_torch_product, _jax_product):
        with suppress(Exception):  # a library may lack a CPU device, or fail in any way
            if run := product(a, b):
                rates.append(2 * _PRODUCT**3 / shortest(run, rounds=_ROUNDS_AGAIN))
    return replace(before, flops=max(rates))


def _torch_product(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Callable[[], object] | None:
    if (torch := sys.modules.get("torch")) is None:
        return None
    return partial(torch.mm, torch.from_numpy(a), torch.from_numpy(b), out=torch.from_numpy(np.empty_like(a)))


def _jax_product(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> Callable[[], object] | None:
    if (jax := sys.modules.get("jax")) is None or a.dtype != np.float32:  # the default dtype of JAX
        return None
    one, other = (jax.device_put(factor, jax.devices("cpu")[0]) for factor in (a, b))  # committed to the CPU, even if there is a GPU
    return lambda: jax.numpy.dot(one, other).block_until_ready()


def _factors(dtype: str, size: int = _PRODUCT) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    rng = np.random.default_rng(0)
    a, b = (rng.random((size, size), np.float64).astype(dtype) for _ in range(2))
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
