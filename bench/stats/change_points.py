"""Change points of a series: where its level changes by more than its runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from bench.stats.intervals import RUN_SPREAD

_WRONG = 0.005  # probability of a change point where there is no change; with outliers, at most twice as much (results/history)
_PRIOR = 10  # the expected spread counts as much as that of so many values


def change_points(groups: Sequence[Sequence[float] | npt.NDArray[np.float64]], *, spread: float = RUN_SPREAD) -> list[int]:
    """Return the indices of the groups that begin a new level, ascending.

    groups  logarithms of the values; each group has one or more, measured under the same conditions
    spread  expected standard deviation of the values of a level

    Binary segmentation (L. Vostrikova, 1981): the series is split before the group at which the difference of the means on both sides is
    largest relative to its standard error. A split counts if it is significant among all possible splits of the series (Bonferroni);
    then both parts are split again. The variance within the parts is combined with the expected one: a few values show little of it.
    It is that of neighbours if that is smaller, because other changes in a part would hide this one.
    """
    starts = [0, *accumulate(map(len, groups))]
    x = np.concatenate([np.asarray(group, np.float64) for group in groups]) if groups else np.empty(0)
    found: list[int] = []
    waiting = [(0, len(groups))]
    while waiting:
        first, last = waiting.pop()
        positions = np.array(starts[first + 1 : last]) - starts[first]
        split = _split(x[starts[first] : starts[last]], positions, spread, possible=len(groups) - 1)
        if split is not None:
            at = first + 1 + split
            found.append(at)
            waiting += [(first, at), (at, last)]
    return sorted(found)


def _split(x: npt.NDArray[np.float64], positions: npt.NDArray[np.int64], spread: float, *, possible: int) -> int | None:
    """Return the index of the position that splits x best, or None if no split is significant. possible: splits of the whole series"""
    n = len(x)
    if not len(positions):
        return None
    left = np.cumsum(x - x.mean())[positions - 1]  # sums of the left parts; those of the right parts are the negative
    between = left**2 * (1 / positions + 1 / (n - positions))  # sums of squares between the parts
    within = np.minimum(np.maximum(np.sum((x - x.mean()) ** 2) - between, 0.0), (n - 2) * _variance(x))
    freedom = _PRIOR + n - 2
    statistic = np.sqrt(between / ((_PRIOR * spread**2 + within) / freedom))
    best = int(np.argmax(statistic))
    return best if statistic[best] > _student_quantile(1 - _WRONG / 2 / possible, freedom) else None


def _variance(x: npt.NDArray[np.float64]) -> float:
    """Return the variance within the levels, from the median difference of neighbours: changes of the level do not affect it."""
    return (1.4826 * float(np.median(np.abs(np.diff(x))))) ** 2 / 2


def _student_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t distribution, to three digits for 8 or more degrees of freedom (E. Cornish, R. Fisher, 1938)."""
    z = NormalDist().inv_cdf(probability)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return float(z + first / freedom + second / freedom**2 + third / freedom**3)
