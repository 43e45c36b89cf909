"""How long an epoch would take over how many ranks: a step's arithmetic on a share of the mini-batch, and one Allreduce.

    epoch = steps (compute(share) + allreduce(ranks, bytes)),  share = ceil(batch size / ranks)

compute(k) = fixed + k flops/rate: what a step costs whatever its share is (Python, the update of the weights), and its k examples'
matrix products at the rate that products of these sizes reach. allreduce is the alpha-beta model of R. Thakur, R. Rabenseifner and
W. Gropp, "Optimization of Collective Communication Operations in MPICH", 2005, section 4.5: for short messages recursive doubling,
lg p (alpha + n beta); for others Rabenseifner's reduce-scatter and allgather, 2 lg p alpha + 2 (p-1)/p n beta. The addition of what
arrives is in beta. It says nothing of ranks that wait for one another because one of them was disturbed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SHORT = 2048  # bytes up to which a message is short, there and in MPICH
MOST = 1024  # ranks that are predicted for
WORTH = 0.05  # of an epoch: what twice as many ranks must save at least


@dataclass(frozen=True)
class Compute:
    """A step on one rank: fixed seconds, and seconds an example of its share."""

    fixed: float
    example: float

    def seconds(self, share: int) -> float:
        """Return the seconds of a step on so many examples."""
        return self.fixed + share * self.example

    @classmethod
    def fitted(cls, steps: Sequence[tuple[int, float]]) -> Compute:
        """Return the one that lies closest, in proportion, to the measured (share, seconds)."""
        return cls(*_least_squares([(1, share, seconds) for share, seconds in steps]))


@dataclass(frozen=True)
class Link:
    """What connects the ranks: alpha, seconds a message; beta, seconds a byte."""

    alpha: float
    beta: float

    def allreduce(self, ranks: int, size: int) -> float:
        """Return the seconds in which so many bytes are summed over the ranks."""
        messages, moved = _allreduce(ranks, size)
        return messages * self.alpha + moved * self.beta

    @classmethod
    def fitted(cls, times: Iterable[tuple[int, int, float]]) -> Link:
        """Return the one that lies closest, in proportion, to the measured (ranks, bytes, seconds), two ranks or more each."""
        return cls(*_least_squares([(*_allreduce(ranks, size), seconds) for ranks, size, seconds in times]))


def _allreduce(ranks: int, size: int) -> tuple[float, float]:
    """Return how many alphas and betas an Allreduce is."""
    rounds = math.ceil(math.log2(ranks))
    return (rounds, rounds * size) if size <= SHORT else (2 * rounds, 2 * (ranks - 1) / ranks * size)


def _least_squares(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Return x, y of 0 or more with a x + b y = c for the rows (a, b, c) as nearly as can be, each weighed by 1/c."""
    a, b, c = np.array(rows, float).T
    both = np.column_stack([a / c, b / c])
    x, y = np.linalg.lstsq(both, np.ones(len(c)), rcond=None)[0]
    if x < 0 or y < 0:  # one of them explains it best alone
        separate = [column.sum() / (column @ column) for column in both.T]
        x, y = (0.0, separate[1]) if x < 0 else (separate[0], 0.0)
    return float(x), float(y)


@dataclass(frozen=True)
class Model:
    """An epoch's prediction: bytes of the gradient, examples of the epoch, and the two parts that were fitted."""

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
        """Return the first number of ranks, of `doublings(MOST)`, of which twice as many would shorten the epoch by less than WORTH."""
        sizes = doublings(MOST)
        helped = (size for size in sizes if self.epoch(2 * size, batch_size) > (1 - WORTH) * self.epoch(size, batch_size))
        return next(helped, MOST)


def doublings(most: int) -> list[int]:
    """Return 1, 2, 4, ... up to `most`, and that."""
    return sorted({2**i for i in range(most.bit_length()) if 2**i <= most} | {most})
