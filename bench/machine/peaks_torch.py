"""Measured peaks of the GPU that PyTorch computes on: a large matrix product, a large copy, and the launch of a small operation."""

from __future__ import annotations

from functools import partial

import torch

from bench.machine.peaks import ROUNDS, shortest
from bench.machine.roofline import Peaks
from impls.peers.torch_accelerator import CURRENT

_PRODUCT = 4096  # rows of the square matrices
_COPIED = 1 << 30  # bytes read and written
_LAUNCHES = 2000


def measure(dtype: str, where: str = CURRENT, *, product: int = _PRODUCT, copied: int = _COPIED) -> Peaks:
    """Measure the peaks. where: PyTorch's name of the device; product: rows of the matrices; copied: bytes read and written"""
    source = torch.ones(copied // 2, dtype=torch.uint8, device=where)
    target, number = torch.empty_like(source), torch.zeros(1, device=where)

    def launches() -> None:
        for _ in range(_LAUNCHES):
            number.add_(1)

    wait = partial(_synchronize, where)
    return Peaks(
        flops=measure_flops(dtype, ROUNDS, where, product=product),
        bytes=2 * source.numel() / shortest(lambda: target.copy_(source), wait),
        launch=shortest(launches, wait) / _LAUNCHES,
    )


def measure_flops(dtype: str, rounds: int, where: str = CURRENT, *, product: int = _PRODUCT) -> float:
    """Measure the rate of the large product, in floating-point operations per second."""
    a, b = (torch.rand(product, product, dtype=getattr(torch, dtype), device=where) for _ in range(2))
    out = torch.empty_like(a)
    return 2 * product**3 / shortest(lambda: torch.mm(a, b, out=out), partial(_synchronize, where), rounds=rounds)


def _synchronize(where: str) -> None:
    if where != "cpu":
        torch.accelerator.synchronize()
