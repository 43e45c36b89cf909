"""Rates of a matrix product and of a copy on this machine's processors, with one thread and with all. A run's peaks depend on them."""

from __future__ import annotations

from typing import NamedTuple

import threadpoolctl

from bench.machine import affinity, peaks

DTYPES = ("float32", "float64")
SIZES = (16, 32, 64, 128, 256, 512, 1024, 2048)
_ROUNDS = 3
_WORK = 1e8  # operations of a measurement of the curve: a small product is repeated


class Rates(NamedTuple):
    """The rates with a number of threads.

    flops  floating-point operations per second of a large matrix product, by dtype
    bytes  bytes read and written per second by a large copy
    """

    threads: int
    flops: dict[str, float]
    bytes: float


def measure() -> list[Rates]:
    """Measure the rates with one thread, and with as many as a run would use. This takes some seconds.

    A BLAS whose threads threadpoolctl cannot limit is measured with all of them only.
    """
    limits = dict.fromkeys((1, affinity.default_threads()) if _limitable() else (affinity.default_threads(),))
    return [_rates(threads) for threads in limits]


def curve(dtype: str) -> dict[int, float]:
    """Measure the rate of the product of two square matrices by their size, in operations per second, with all threads of NumPy."""
    return {size: _of_size(dtype, size) for size in SIZES}


def _of_size(dtype: str, size: int) -> float:
    rounds = max(_ROUNDS, int(_WORK / (2 * size**3)))
    return peaks.product_rate(dtype, rounds, size=size)


def _rates(threads: int) -> Rates:
    with threadpoolctl.threadpool_limits(threads, user_api="blas"):
        return Rates(threads, {dtype: peaks.product_rate(dtype, _ROUNDS) for dtype in DTYPES}, peaks.copy_rate(threads))


def _limitable() -> bool:
    return any(library["user_api"] == "blas" for library in threadpoolctl.threadpool_info())
