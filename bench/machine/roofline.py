"""Roofline floor of an epoch: the least time that the measured peaks allow for its operations and bytes.

The floor is the larger of two times, as in the roofline model (S. Williams, A. Waterman, D. Patterson, 2009): operations over the rate
of a large matrix product, and bytes over the rate of a large copy. Both rates are the best of several rounds, because a peak is a maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from impls import Dataset, Trainer


@dataclass(frozen=True)
class Peaks:
    """The measured peaks of a CPU or a GPU, for one dtype and number of threads.

    flops   floating-point operations per second of a large matrix product
    bytes   bytes read and written per second by a large copy
    launch  seconds per kernel launch from the host; None on a CPU
    node    seconds per kernel in a replayed CUDA graph; None on a CPU
    """

    flops: float
    bytes: float
    launch: float | None = None
    node: float | None = None

    def at_best(self, other: Peaks) -> Peaks:
        """Return the better value of every field."""
        rates = max(self.flops, other.flops), max(self.bytes, other.bytes)
        costs = (min((x for x in pair if x is not None), default=None) for pair in ((self.launch, other.launch), (self.node, other.node)))
        return Peaks(*rates, *costs)

    def floor(self, work: Work) -> float:
        """Return the least seconds that the peaks allow for the work."""
        return max(work.flops / self.flops, work.bytes / self.bytes)


@dataclass(frozen=True)
class Work:
    """The minimum work of an epoch: floating-point operations, and bytes to and from memory."""

    flops: int
    bytes: int


def epoch_work(layers: Sequence[int], examples: int, itemsize: int, *, share: float = 1.0) -> Work:
    """Return the minimum work of an epoch.

    layers    widths of the layers, input first
    examples  number of examples
    itemsize  bytes per number
    share     fraction of the pixels that are processed: below 1 for a trainer that skips zero pixels

    Operations: a multiply-add counts as 2. For one example, layer l needs n_l n_{l-1} multiply-adds for z_l and as many for
    nabla_w_l (BP4). Every layer except for the first needs as many for the delta of the layer below (BP2). The count omits biases,
    sigmoids and the step, which are of lower order.
    Bytes: every image is read once, and every weight is read and written once. Caches may save all other transfers, for any size of
    mini-batch, so the count omits them.
    """
    first, *others = [above * below for below, above in pairwise(layers)]
    flops = 2 * examples * (2 * share * first + 3 * sum(others))
    moved = itemsize * (share * examples * layers[0] + 2 * (first + sum(others)))
    return Work(round(flops), round(moved))


def trainer_work(trainer: Trainer, data: Dataset) -> Work:
    """Return the minimum work of the trainer's epoch on the data."""
    share = np.count_nonzero(data.images) / data.images.size if trainer.skips_zeros else 1.0
    return epoch_work(trainer.layers, trainer.examples, trainer.dtype.itemsize, share=share)
