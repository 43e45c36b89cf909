"""The least time of an epoch: its operations and bytes, from the shapes, over what this machine does at most.

The floor is the larger of two times, as in the roofline model (S. Williams, A. Waterman, D. Patterson, 2009): operations over the rate
of a large matrix product, bytes over the rate of a large copy. Both rates are the best of several, because they are to be a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Peaks:
    """What a processor or a GPU does at most, for one dtype and number of threads.

    flops   floating-point operations a second, of a large matrix product
    bytes   read and written a second, of a large copy
    launch  seconds that one kernel launch takes from the host; None on a processor
    node    seconds that one kernel in a replayed CUDA graph takes; None on a processor
    """

    flops: float
    bytes: float
    launch: float | None = None
    node: float | None = None

    def at_best(self, other: Peaks) -> Peaks:
        """Return the better of each."""
        rates = max(self.flops, other.flops), max(self.bytes, other.bytes)
        costs = (min((x for x in pair if x is not None), default=None) for pair in ((self.launch, other.launch), (self.node, other.node)))
        return Peaks(*rates, *costs)

    def floor(self, work: Work) -> float:
        """Return the seconds that the work takes at least."""
        return max(work.flops / self.flops, work.bytes / self.bytes)


@dataclass(frozen=True)
class Work:
    """What an epoch must do at least: floating-point operations, and bytes to and from memory."""

    flops: int
    bytes: int


def epoch_work(layers: Sequence[int], examples: int, itemsize: int, *, share: float = 1.0) -> Work:
    """Return the work of an epoch.

    share  of the pixels that is worked on: below 1 for a trainer that skips those that are 0

    Operations, a multiplication and an addition counting 2: for one example, layer l needs n_l n_{l-1} multiply-adds for z_l, as many
    for nabla_w_l (BP4), and, but for the first, as many for the delta of the layer below (BP2). Biases, sigmoids and the step
    are left out: they are of lower order.
    Bytes: every image is read once, and every weight is read and written once. Caches may spare all else, however small the
    mini-batches, so nothing else is sure.
    """
    first, *others = [above * below for below, above in pairwise(layers)]
    flops = 2 * examples * (2 * share * first + 3 * sum(others))
    moved = itemsize * (share * examples * layers[0] + 2 * (first + sum(others)))
    return Work(round(flops), round(moved))
