"""Cost model of an epoch over several ranks: each step computes on a share of the mini-batch and does one Allreduce.

    epoch = steps (compute(share) + allreduce(ranks, bytes)),  share = ceil(batch size / ranks)

compute(k) = fixed + k flops/rate. `fixed` does not depend on the share: Python, the update of the weights. `rate` is the rate of the matrix
products at these sizes. allreduce is the alpha-beta model of R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of Collective
Communication Operations in MPICH", 2005, section 4.5. Short messages use recursive doubling, lg p (alpha + n beta). Longer messages use
Rabenseifner's reduce-scatter and allgather, 2 lg p alpha + 2 (p-1)/p n beta. beta includes the addition of the received values. The model
ignores the time that ranks wait for a rank that other processes slow down.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.stats.least_squares import nonnegative

SHORT = 2048  # bytes: the longest short message, in the paper and in MPICH
MOST = 1024  # ranks: the largest prediction
WORTH = 0.05  # fraction of an epoch that doubling the ranks must save


@dataclass(frozen=True)
class Compute:
    """The cost of a step on one rank: fixed seconds, and seconds per example of its share."""

    fixed: float
    example: float

    def seconds(self, share: int) -> float:
        """Return the seconds of a step on `share` examples."""
        return self.fixed + share * self.example

    @classmethod
    def fitted(cls, steps: Sequence[tuple[int, float]]) -> Compute:
        """Return the least-squares fit, by relative error, to the measured (share, seconds)."""
        return cls(*map(float, nonnegative([(1, share) for share, _ in steps], [seconds for _, seconds in steps])))


@dataclass(frozen=True)
class Link:
    """The connection of the ranks: alpha, seconds per message; beta, seconds per byte."""

    alpha: float
    beta: float

    def allreduce(self, ranks: int, size: int) -> float:
        """Return the seconds of an Allreduce of `size` bytes over the ranks."""
        messages, moved = _allreduce(ranks, size)
        return messages * self.alpha + moved * self.beta

    @classmethod
    def fitted(cls, times: Iterable[tuple[int, int, float]]) -> Link:
        """Return the least-squares fit, by relative error, to the measured (ranks, bytes, seconds). Each needs two or more ranks."""
        rows = [(_allreduce(ranks, size), seconds) for ranks, size, seconds in times]
        return cls(*map(float, nonnegative([counts for counts, _ in rows], [seconds for _, seconds in rows])))


def _allreduce(ranks: int, size: int) -> tuple[float, float]:
    """Return the factors of alpha and beta in the time of an Allreduce."""
    rounds = math.ceil(math.log2(ranks))
    return (rounds, rounds * size) if size <= SHORT else (2 * rounds, 2 * (ranks - 1) / ranks * size)


@dataclass(frozen=True)
class Model:
    """The model of an epoch: two fitted parts, the bytes of the gradient, and the examples of an epoch."""

    compute: Compute
    link: Link
    gradient: int
    examples: int

    def epoch(self, ranks: int, batch_size: int) -> float:
        """Return the seconds of an epoch over the ranks."""
        whole, last = divmod(self.examples, batch_size)
        sizes = [(batch_size, whole), (last, 1)] if last else [(batch_size, whole)]
        return sum(steps * self._step(ranks, size) for size, steps in sizes)

    def _step(self, ranks: int, size: int) -> float:
        return self.compute.seconds(-(-size // ranks)) + self.link.allreduce(ranks, self.gradient)

    def enough(self, batch_size: int) -> int:
        """Return the first of `doublings(MOST)` at which doubling the ranks shortens the epoch by less than WORTH."""
        sizes = doublings(MOST)
        helped = (size for size in sizes if self.epoch(2 * size, batch_size) > (1 - WORTH) * self.epoch(size, batch_size))
        return next(helped, MOST)


def doublings(most: int) -> list[int]:
    """Return 1, 2, 4, ... up to `most`, and `most` itself."""
    return sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most})
