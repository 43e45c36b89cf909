"""Confidence intervals of medians and of ratios of medians. Pure functions on arrays.

The number of n values below the true median is binomial, for any distribution of the values. So order statistics bound the median,
with interpolation between them (T. Hettmansperger and S. Sheather, 1986). Consecutive rounds are correlated, which reduces the
effective number of values; the autocorrelation therefore widens the interval. A run is one process, and processes of the same code
differ, for as long as they live. So the interval of one run is also widened by RUN_SPREAD; of several runs, their own spread counts.

With few values no method reaches 95 %: the minimum and the maximum of 3 independent values contain the true median 75 % of the time, of
4 87.5 %, and of `FEWEST` 93.8 %. results/intervals reports the coverage on recorded noise and on noise of known kinds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DRAWS = 4000  # the ends of a 95 % interval then vary with the seed by about 1 % of its width
_SHARES = (0.025, 0.975)
FEWEST = 5  # values, or runs, that an interval needs for a coverage of 92 % or more
# Fewer values cannot show their autocorrelation. So their interval reaches further on both sides, at most by this multiple of their median
# absolute deviation. Then it has a coverage of 92 % or more if neighbours are correlated by 0.6; recorded rounds are by 0.35 to 0.45.
_FEWEST_IN_ORDER, _FURTHER = 20, 3

# Standard deviation of the logarithm of a process's median epoch, over processes of the same code: 0.024 and 0.027 in the 200 processes of
# each contender in results/gate, without outliers.
RUN_SPREAD = 0.025

_SURE = 1.959964  # standard errors of a 95 % interval of normal values


class Interval(NamedTuple):
    """A value and its 95 % confidence interval, in the unit of the data."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether the interval is finite. It is infinite if there are too few values."""
        return math.isfinite(self.high)

    @property
    def inverse(self) -> Interval:
        """The interval of the reciprocal, for a positive ratio."""
        return Interval(1 / self.value, 1 / self.high, 1 / self.low)

    def json(self) -> dict[str, float | None]:
        """Return the fields for JSON, which has no infinity: an infinite end becomes null."""
        return {name: end if math.isfinite(end) else None for name, end in self._asdict().items()}


class Sample:
    """The values of one or more runs of the same case. Runs differ by more than their own values do, so runs are resampled too.

    runs  the values of each run, positive, in the order of measurement
    The centre is the median of the runs' medians. With one run, it is the median of that run.
    """

    def __init__(self, runs: Sequence[npt.ArrayLike]) -> None:
        self.runs = [_checked(run, positive=True) for run in runs]
        self.medians = np.sort([middle(np.sort(run)) for run in self.runs])
        self.value = float(np.median(self.medians))

    def interval(self) -> Interval:
        """Return the centre and its interval."""
        return between(self.value, self.draws(seed=0))

    def over(self, other: Sample) -> Interval:
        """Return the ratio of this centre to the other's, with its interval. The draws of the two are independent."""
        return between(self.value / other.value, self.draws(seed=0) / other.draws(seed=1))

    def draws(self, *, seed: int) -> npt.NDArray[np.float64]:
        """Return random draws from the confidence distribution of the true centre, (DRAWS,).

        The same seed and data always give the same draws. Use two seeds for two quantities that must vary independently.
        """
        return _drawn(self, seed)


@lru_cache(maxsize=512)  # a sample is often compared with many others; without a limit, the draws would fill the memory
def _drawn(sample: Sample, seed: int) -> npt.NDArray[np.float64]:
    if len(sample.runs) >= FEWEST:  # the spread of so many medians includes the spread within the runs
        return _order_statistic(sample.medians, (len(sample.medians) + 1) / 2 + _binomial_draws(len(sample.medians), seed))
    # Draws are independent of each other, so shifting each run by one more draw makes the runs independent.
    each = np.array([np.roll(_medians(run, seed), shift) for shift, run in enumerate(sample.runs)])  # (runs, DRAWS)
    each *= np.exp(RUN_SPREAD * np.random.default_rng([seed, len(each)]).standard_normal(each.shape))
    return (
        np.asarray(each[0])
        if len(each) == 1
        else _order_statistic(np.sort(each, axis=0), (len(each) + 1) / 2 + _binomial_draws(len(each), seed + 1_000_000))
    )


def median(values: npt.ArrayLike) -> Interval:
    """Return the median of positive values, with its interval. Raises ValueError for other values, or unless `values` is 1-D."""
    return Sample([values]).interval()


def ratio(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Interval:
    """Return median(numerator) / median(denominator), with its interval. The draws of the two are independent."""
    return Sample([numerator]).over(Sample([denominator]))


def mean(values: npt.ArrayLike, *, error: float = 0.0) -> Interval:
    """Return the mean of the values of one run, in the order of measurement, with its interval.

    error  another standard error of the mean, such as the resolution of an instrument
    It assumes values that are nearly normal (Student, 1908), widens by their autocorrelation, and includes the spread from run to run.
    """
    x = _checked(values)
    n, centre = len(x), float(x.mean())
    if n < 2:
        return Interval(centre, -math.inf, math.inf)
    own = _student(n - 1) * _autocorrelation_inflation(x) * float(x.std(ddof=1)) / math.sqrt(n)
    half = math.hypot(own, _SURE * RUN_SPREAD * centre, _SURE * error)
    return Interval(centre, centre - half, centre + half)


def _student(freedom: int) -> float:
    """Return the 97.5 % quantile of Student's t distribution (Abramowitz and Stegun, 26.7.5; up to 4 the exact values)."""
    if freedom <= 4:
        return (12.706, 4.303, 3.182, 2.776)[freedom - 1]
    z, n = _SURE, freedom
    series = ((z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384)
    return float(z + sum(term / n**power for power, term in enumerate(series, start=1)))


def middle(x: npt.NDArray[np.float64]) -> float:
    """Return the median of sorted values. For a few values, np.median takes twenty times as long."""
    return float(x[(len(x) - 1) // 2] + x[len(x) // 2]) / 2


def between(value: float, draws: npt.NDArray[np.float64]) -> Interval:
    """Return the value with the interval that contains 95 % of its draws. Draws may be infinite."""
    ends = [round(share * (len(draws) - 1)) for share in _SHARES]
    low, high = np.partition(draws, ends)[ends]
    return Interval(value, float(low), float(high))


def anytime_interval(values: npt.ArrayLike, look: int, *, family: int = 1) -> Interval:
    """Return the centre of values, with an interval that stays valid over repeated looks at growing data.

    values  (n,), in the order of measurement; if neighbours are alike, the interval is wider
    look    number of this look, from 1
    family  number of such intervals that shall all hold with 95 %
    The centre is the median of all pairwise means (J. Hodges and E. Lehmann, 1963). The ends of the interval are the order statistics
    of those means that invert the signed-rank test (F. Wilcoxon, 1945; J. Tukey, 1949). The method assumes only that the distribution
    is symmetric about its centre; almost a third of the values may be outliers. With a 95 % interval at every look, stopping at a
    favourable one would be wrong more than 5 % of the time. So look i may be wrong with probability 0.05 / (i (i + 1)), which sums to
    5 % over all looks.
    The interval is (-inf, inf) if there are too few values.
    """
    x = _checked(values)
    means = np.sort(((x[:, np.newaxis] + x) / 2)[np.triu_indices(len(x))])
    k, centre = _signed_rank_cutoff(len(x), 0.05 / (family * look * (look + 1))), float(np.median(means))
    ends = (means[k - 1], means[-k]) if k else (-math.inf, math.inf)
    return Interval(centre, *(centre + _autocorrelation_inflation(x) * (float(end) - centre) for end in ends))


@cache
def _signed_rank_cutoff(n: int, allowed: float) -> int:
    """Return how many sums of the signed-rank test to reject in each tail, if both tails together may have the probability `allowed`."""
    # The probability of each sum of the ranks of the positive values, if every value is positive with probability 1/2.
    likely = np.ones(1)
    for rank in range(1, n + 1):
        likely = (np.pad(likely, (0, rank)) + np.pad(likely, (rank, 0))) / 2
    return int(np.searchsorted(2 * np.cumsum(likely), allowed, side="right"))


def _checked(values: npt.ArrayLike, *, positive: bool = False) -> npt.NDArray[np.float64]:
    x = np.asarray(values, np.float64)
    if x.ndim != 1 or not x.size or not np.isfinite(x).all() or (positive and x.min() <= 0):
        kind = "positive numbers" if positive else "finite numbers"
        raise ValueError(f"values: must be a non-empty 1-D array of {kind}; got shape {x.shape}")
    return x


def _medians(x: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    """Return draws of the true median of the distribution of x, (DRAWS,)."""
    ordered = np.sort(x)
    if len(x) >= _FEWEST_IN_ORDER:
        return _order_statistic(ordered, (len(x) + 1) / 2 + _autocorrelation_inflation(x) * _binomial_draws(len(x), seed))
    centre, logs = math.log(middle(ordered)), np.log(ordered)
    draws = np.log(_order_statistic(ordered, (len(x) + 1) / 2 + _binomial_draws(len(x), seed))) - centre
    further = _FURTHER * middle(np.sort(np.abs(logs - centre)))
    for side, farthest in ((draws < 0, centre - logs[0]), (draws > 0, logs[-1] - centre)):
        if farthest > 0:
            draws[side] *= 1 + further / farthest
    return np.asarray(np.exp(centre + draws))


@cache
def _binomial_draws(n: int, seed: int) -> npt.NDArray[np.float64]:
    """Return draws of the centred binomial count of n fair coin flips, smoothed by a uniform variable in [0, 1), (DRAWS,)."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.binomial(n, 0.5, DRAWS) + rng.random(DRAWS) - (n + 1) / 2)


def _autocorrelation_inflation(x: npt.NDArray[np.float64]) -> float:
    """Return the factor by which autocorrelation inflates the standard error of the centre of the values.

    The factor is sqrt((1 + r) / (1 - r)), where r is the correlation of the ranks of consecutive values; ranks limit the effect of
    outliers. The sample correlation is too small by (1 + 3 r) / n (M. Kendall, 1954), which is added.
    """
    n = len(x)
    if np.ptp(x) == 0:
        return 1.0
    ranks = x.argsort().argsort() - (n - 1) / 2
    r = float(ranks[:-1] @ ranks[1:] / (ranks @ ranks))
    r = min(max(r + (1 + 3 * r) / n, 0.0), 0.9)
    return math.sqrt((1 + r) / (1 - r))


def _order_statistic(x: npt.NDArray[np.float64], positions: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the interpolated order statistics at these positions, clipped to the smallest and the largest value.

    x          sorted values: (n,), or (n, DRAWS) for a column per position
    positions  (DRAWS,), where 1 is the smallest value and n the largest
    Position k + u lies the fraction (n - k) u / (k + (n - 2 k) u) of the way from value k to value k + 1. This is exact for a
    symmetric exponential distribution, and close for other common ones (Hettmansperger and Sheather).
    """
    n = len(x)
    positions = np.clip(positions, 0.5, n + 0.5)
    k = positions.astype(np.int32)
    u = positions - k
    share = (n - k) * u / (k + (n - 2 * k) * u)
    each = () if x.ndim == 1 else (np.arange(len(positions)),)
    lower, upper = x[np.maximum(k - 1, 0), *each], x[np.minimum(k, n - 1), *each]
    return np.asarray(lower + share * (upper - lower))
