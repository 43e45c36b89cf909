"""Measured peaks of the device that MLX computes on: a large matrix product, a large copy, and the launch of a small operation."""

from __future__ import annotations

import mlx.core as mx

from bench.machine.peaks import ROUNDS, shortest
from bench.machine.roofline import Peaks

_PRODUCT = 4096  # rows of the square matrices
_COPIED = 1 << 30  # bytes read and written
_LAUNCHES = 1000


def measure(dtype: str, *, product: int = _PRODUCT, copied: int = _COPIED) -> Peaks:
    """Measure the peaks. product: rows of the matrices; copied: bytes read and written"""
    source = mx.ones(copied // 8, mx.float32)
    mx.eval(source)
    one = mx.array(1.0)

    def launches() -> None:
        number = one
        for _ in range(_LAUNCHES):
            number = number + one
            mx.async_eval(number)
        mx.eval(number)

    return Peaks(
        flops=measure_flops(dtype, ROUNDS, product=product),
        bytes=2 * source.nbytes / shortest(lambda: mx.eval(source + one)),  # MLX has no copy that it does not leave out
        launch=shortest(launches) / _LAUNCHES,
    )


def measure_flops(dtype: str, rounds: int, *, product: int = _PRODUCT) -> float:
    """Measure the rate of the large product, in floating-point operations per second."""
    a, b = (mx.random.uniform(shape=(product, product)).astype(getattr(mx, dtype)) for _ in range(2))
    mx.eval(a, b)
    return 2 * product**3 / shortest(lambda: mx.eval(a @ b), rounds=rounds)
