"""Medians and ratios of medians with confidence intervals. Pure functions on arrays.

How many of n values lie below the true median is binomial, n flips of a coin, whatever their distribution; so the order statistics
are an interval for it, between which one interpolates (T. Hettmansperger and S. Sheather, 1986). Rounds that follow one another
resemble each other, so there are fewer flips than rounds: what a value says of the next one widens the interval. It is about the
machine as it was while they were taken: moods that last longer than a run show between runs only.

With few values no method can promise 95 %: the least and the largest of 3 hold the true median 75 % of the time, of 4 87.5 %, and
of `FEWEST` 93.8 %. results/intervals holds what all this comes to on recorded noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_DRAWS = 4000  # the ends of a 95 % interval then differ by about 1 % of its width from draw to draw
_SHARES = (0.025, 0.975)
FEWEST = 5  # values, or runs, that an interval needs to hold 92 % and more
_FEWEST_IN_ORDER = 20  # fewer do not tell whether they resemble their neighbours; so few are long epochs, which do not


class Interval(NamedTuple):
    """A value and its 95 % confidence interval, in the unit of the values it was made from."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether it has ends; of too few values it has none."""
        return math.isfinite(self.high)

    def json(self) -> dict[str, float | None]:
        """Return it for JSON, which has no infinity: an end that there is not is null."""
        return {name: end if math.isfinite(end) else None for name, end in self._asdict().items()}


class Sample:
    """The values of one run or more of the same thing. Runs differ by more than their values do, so runs are drawn again too.

    runs  of each, its values in the order in which they were taken
    Its centre is the median of the runs' medians, with one run the median.
    """

    def __init__(self, runs: Sequence[npt.ArrayLike]) -> None:
        self.runs = [_checked(run) for run in runs]
        self.medians = np.sort([middle(np.sort(run)) for run in self.runs])
        self.value = float(np.median(self.medians))

    def interval(self) -> Interval:
        """Return the centre with its interval."""
        return between(self.value, self.draws(seed=0))

    def over(self, other: Sample) -> Interval:
        """Return the ratio of this centre to the other's; both positive and drawn independently."""
        return between(self.value / other.value, self.draws(seed=0) / other.draws(seed=1))

    def draws(self, *, seed: int) -> npt.NDArray[np.float64]:
        """Return where the true centre may lie, drawn as often as it does, (_DRAWS,). The same seed and data always show the same draws.

        Two quantities that are to vary independently need two seeds.
        """
        return _drawn(self, seed)


@lru_cache(maxsize=512)  # the draws of what is compared with many others are made once; those of all would fill the memory
def _drawn(sample: Sample, seed: int) -> npt.NDArray[np.float64]:
    if len(sample.runs) == 1:
        return _medians(sample.runs[0], seed)
    if len(sample.runs) >= FEWEST:  # the spread of so many medians holds that of the values within the runs
        return _order_statistic(sample.medians, (len(sample.medians) + 1) / 2 + _binomial_draws(len(sample.medians), seed))
    # Every draw is independent of the next one, so a run that is one draw behind another is independent of it.
    each = np.sort([np.roll(_medians(run, seed), shift) for shift, run in enumerate(sample.runs)], axis=0)  # (runs, _DRAWS)
    return _order_statistic(each, (len(each) + 1) / 2 + _binomial_draws(len(each), seed + 1_000_000))


def median(values: npt.ArrayLike) -> Interval:
    """Return the median of one value or more, with its interval."""
    return Sample([values]).interval()


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Interval:
    """Return median(numerator) / median(denominator) with its interval; both positive and drawn independently."""
    return Sample([numerator]).over(Sample([denominator]))


def middle(x: npt.NDArray[np.float64]) -> float:
    """Return the median of sorted values. np.median takes twenty times as long for a few of them."""
    return float(x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def between(value: float, draws: npt.NDArray[np.float64]) -> Interval:
    """Return the value with the interval that holds 95 % of its draws. A draw may be infinite."""
    ends = [round(share * (len(draws) - 1)) for share in _SHARES]
    low, high = np.partition(draws, ends)[ends]
    return Interval(value, float(low), float(high))


def anytime_interval(values: npt.ArrayLike, look: int) -> Interval:
    """Return the centre of independent values with an interval that holds at the first look at them, the second, and so on.

    The centre is the median of all pairwise means (J. Hodges and E. Lehmann, 1963), the interval's ends are the order statistics
    of those means that invert the signed-rank test (F. Wilcoxon, 1945; J. Tukey, 1949). It assumes that the values are spread
    alike to both sides of the centre, and nothing else about their distribution: almost a third of them may be wild.
    Whoever looks after each new value and stops when the answer suits would be wrong more often than 5 %. So look number i may
    be wrong with probability 0.05 / (i (i + 1)) only, which sums to 5 % over all looks there can be.
    The interval is (-inf, inf) while the values are too few for any.
    """
    x = _checked(values)
    means = np.sort(((x[:, np.newaxis] + x) / 2)[np.triu_indices(len(x))])
    k = _signed_rank_cutoff(len(x), 0.05 / (look * (look + 1)))
    ends = (float(means[k - 1]), float(means[-k])) if k else (-math.inf, math.inf)
    return Interval(float(np.median(means)), *ends)


@cache
def _signed_rank_cutoff(n: int, allowed: float) -> int:
    """Return how many of the signed-rank test's sums are too unlikely at either end, if both together may have that probability."""
    # How likely each sum of the ranks of the positive values is, if every value is positive or negative with probability 1/2.
    likely = np.ones(1)
    for rank in range(1, n + 1):
        likely = (np.pad(likely, (0, rank)) + np.pad(likely, (rank, 0))) / 2
    return int(np.searchsorted(2 * np.cumsum(likely), allowed, side="right"))


def _checked(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not x.size or not np.isfinite(x).all():
        raise ValueError(f"one finite value is needed at least, in one dimension; got shape {x.shape}")
    return x


def _medians(x: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return draws of the true median of what these values are of, (_DRAWS,)."""
    return _order_statistic(np.sort(x), (len(x) + 1) / 2 + _autocorrelation_inflation(x) * _binomial_draws(len(x), seed))


@cache
def _binomial_draws(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Return how many of n flips of a coin are heads, beyond half of them, spread evenly from each number to the next, (_DRAWS,)."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.binomial(n, 0.5, _DRAWS) + rng.random(_DRAWS) - (n + 1) / 2)


def _autocorrelation_inflation(x: npt.NDArray[np.float64]) -> float:
    """Return by how much the number of values below the true median varies more than it would if neighbours were independent.

    That is sqrt((1 + r) / (1 - r)) where a value goes with the next one with correlation r; here their ranks do, which no outlier moves.
    A sample shows r too small, by (1 + 3 r) / n (M. Kendall, 1954).
    """
    n = len(x)
    if n < _FEWEST_IN_ORDER or np.ptp(x) == 0:
        return 1.0
    ranks = x.argsort().argsort() - (n - 1) / 2
    r = float(ranks[:-1] @ ranks[1:] / (ranks @ ranks))
    r = min(max(r + (1 + 3 * r) / n, 0.0), 0.9)
    return math.sqrt((1 + r) / (1 - r))


def _order_statistic(x: npt.NDArray[np.float64], positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return what lies at each position among sorted values, 1 being the least; beyond the ends, those.

    x  (n,), or (n, _DRAWS) for a column of them at each position
    Position k + u is the share (n - k) u / (k + (n - 2 k) u) of the way from the k-th to the next: exact for a symmetric exponential
    distribution, and nearly so for all usual ones (Hettmansperger and Sheather).
    """
    n = len(x)
    positions = np.clip(positions, 0.5, n + 0.5)
    k = positions.astype(np.int32)
    u = positions - k
    share = (n - k) * u / (k + (n - 2 * k) * u)
    each = () if x.ndim == 1 else (np.arange(len(positions)),)
    lower, upper = x[np.maximum(k - 1, 0), *each], x[np.minimum(k, n - 1), *each]
    return np.asarray(lower + share * (upper - lower))
