"""Tests of the intervals: values on known data, and coverage."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, quantile_test, t, theilslopes, wilcoxon

from bench.stats import intervals
from bench.stats.intervals import RUN_SPREAD, anytime_interval
from bench.stats.trend import drift


def test_median_and_ratio_of_known_data():
    assert intervals.median([3.0, 1.0, 2.0]).value == 2.0
    assert intervals.ratio([8.0, 8.0], [2.0, 2.0]).value == 4.0


def test_the_interval_of_few_rounds_is_wider_than_their_range():
    """Their autocorrelation is unknown, and the next run differs."""
    value, low, high = intervals.median([1.0, 1.5, 9.0, 1.2, 3.0])
    assert value == 1.5
    assert low < 1 < 9 < high


def test_the_interval_of_equal_rounds_has_the_spread_of_runs():
    value, low, high = intervals.median([5.0] * 20)
    assert value == 5
    assert (low, high) == pytest.approx((5 * math.exp(-1.96 * RUN_SPREAD), 5 * math.exp(1.96 * RUN_SPREAD)), rel=3e-3)


def test_the_interval_is_reproducible_and_independent_of_the_unit():
    times = np.random.default_rng(0).lognormal(size=20)
    assert intervals.median(times) == intervals.median(times)
    np.testing.assert_allclose(intervals.median(1000 * times), 1000 * np.array(intervals.median(times)))
    value, low, high = intervals.ratio(times, times)
    assert value == 1
    assert low < 1 < high


def test_more_rounds_make_the_interval_narrower():
    times = np.random.default_rng(0).lognormal(sigma=0.1, size=160)
    widths = [np.ptp(intervals.median(times[:n])[1:]) for n in (10, 40, 160)]
    assert widths == sorted(widths, reverse=True)


def autoregressive(rng, n):
    """Return noise in which neighbours are correlated by 0.6."""
    noise = rng.standard_normal(n)
    for i in range(1, n):
        noise[i] = 0.6 * noise[i - 1] + 0.8 * noise[i]
    return noise


@pytest.mark.parametrize("n", [5, 10, 40])
def test_the_mean_of_normal_values_has_the_interval_of_student(n):
    values = np.random.default_rng(n).normal(100, 30, n)
    value, low, high = intervals.mean(values)
    half = t.ppf(0.975, n - 1) * values.std(ddof=1) / math.sqrt(n) * intervals._autocorrelation_inflation(values)
    expected = math.hypot(half, 1.96 * RUN_SPREAD * values.mean())
    assert (value, value - low, high - value) == pytest.approx((values.mean(), expected, expected), rel=2e-3)


# Kinds of noise with a true median of 1, so large that RUN_SPREAD hardly counts.
NOISE = {
    "lognormal": lambda rng, n: np.exp(0.3 * rng.standard_normal(n)),
    "one round in ten twice as slow": lambda rng, n: np.exp(0.2 * rng.standard_normal(n)) * rng.choice([1, 2], n, p=[0.9, 0.1]) / 1.025,
    "neighbours alike": lambda rng, n: np.exp(0.3 * autoregressive(rng, n)),
    "10 % drift": lambda rng, n: np.exp(0.01 * rng.standard_normal(n)) * np.linspace(0.95, 1.05, n),
    "a coarse clock": lambda rng, n: np.round(np.exp(0.3 * rng.standard_normal(n)), 1),
    "identical": lambda rng, n: np.ones(n),
}


@pytest.mark.parametrize("rounds", [5, 8, 15, 20, 40])
@pytest.mark.parametrize("kind", NOISE)
def test_coverage_is_92_percent_or_more_on_every_kind_of_noise(kind, rounds):
    rng, covered = np.random.default_rng(rounds), 0
    for _ in range(300):
        _, low, high = intervals.median(NOISE[kind](rng, rounds))
        covered += low <= 1 <= high
    assert covered / 300 >= 0.92 - 0.047  # three standard deviations of a share of 300 trials


def test_two_runs_of_the_same_code_have_the_same_speed():
    rng, different = np.random.default_rng(4), 0
    for _ in range(400):
        one, other = (rng.normal(centre, 0.01, 20) for centre in np.exp(RUN_SPREAD * rng.standard_normal(2)))
        _, low, high = intervals.ratio(one, other)
        different += not low <= 1 <= high
    assert different / 400 <= 0.05 + 0.033  # three standard deviations


def test_autocorrelated_rounds_give_a_wider_interval_than_shuffled_rounds():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(1, 0.1, 10), 4)
    one, other = intervals.median(slow), intervals.median(rng.permutation(slow))
    assert one.value == other.value
    assert one.high - one.low > 1.3 * (other.high - other.low)


def test_coverage_of_pooled_runs():
    rng, covered = np.random.default_rng(2), 0
    for _ in range(400):  # runs differ by 2 %, the rounds of one by 1 %
        runs = [rng.normal(centre, 0.01, 6) for centre in rng.normal(1, 0.02, 6)]
        _, low, high = intervals.Sample(runs).interval()
        covered += low <= 1 <= high
    assert 0.92 - 0.041 <= covered / 400 <= 0.98 + 0.02  # three standard deviations of a share of 400 trials


@pytest.mark.parametrize("values", [[], [[1.0]], [np.nan, 1.0], [np.inf], [0.0, 1.0]], ids=str)
def test_an_invalid_sample_is_an_error(values):
    with pytest.raises(ValueError, match=r"^values: .* shape \("):
        intervals.median(values)


def dealt(x):
    """Return x with small and large values in turn: neighbours are not alike, so autocorrelation does not widen the interval."""
    small, large = np.array_split(np.sort(x), 2)
    return np.array([*(value for pair in zip(small, large, strict=False) for value in pair), *small[len(large) :]])


@pytest.mark.parametrize("look", [1, 2, 5])
@pytest.mark.parametrize("n", [9, 12, 20])
def test_the_anytime_interval_agrees_with_the_signed_rank_test_of_scipy(n, look):
    x = dealt(np.random.default_rng(n).normal(0.02, 0.01, n))
    allowed, (_, low, high) = 0.05 / (look * (look + 1)), anytime_interval(x, look)
    step = 1e-9 * np.ptp(x)

    def p(centre):
        return wilcoxon(x - centre, method="exact").pvalue

    if math.isinf(high):
        assert 2**-n * 2 > allowed  # even the most extreme sum is too likely to reject
        return
    assert max(p(low - step), p(high + step)) <= allowed < min(p(low + step), p(high - step))


@pytest.mark.parametrize("n", [20, 30])
def test_the_interval_of_a_median_is_that_of_scipy_widened_by_the_spread_of_runs(n):
    ordered = np.sort(np.random.default_rng(n).exponential(1.0, n))
    mine = intervals.median(dealt(ordered))
    conservative = quantile_test(ordered, q=0, p=0.5).confidence_interval(0.95)
    low, high = np.searchsorted(ordered, [conservative.low, conservative.high])
    wide = math.exp(2 * RUN_SPREAD)
    assert conservative.low / wide <= mine.low <= ordered[low + 1]  # the next order statistics have too low a coverage
    assert ordered[high - 1] <= mine.high <= conservative.high * wide


@pytest.mark.parametrize("n", [5, 20, 40])
def test_the_drift_is_the_theil_slope_if_kendalls_tau_is_significant(n):
    x = np.random.default_rng(n).normal(1, 0.02, n) * np.linspace(1, 1.3, n)
    slope = theilslopes(x, np.arange(n)).slope * (n - 1) / np.median(x)
    significant = kendalltau(np.arange(n), x).statistic * n * (n - 1) / 2 > 3.3 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    assert drift(x) == (pytest.approx(slope) if significant else 0)
    assert significant == (n > 5)
