"""Tests of the intervals: values on known data, and coverage."""

import math

import numpy as np
import pytest
from scipy.stats import kendalltau, quantile_test, theilslopes, wilcoxon

from bench import records
from bench.stats import intervals
from bench.stats.intervals import anytime_interval
from bench.stats.trend import drift
from tests.support.commands import ROOT


def test_median_and_ratio_of_known_data():
    assert intervals.median([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert intervals.median([5.0]) == (5.0, 5.0, 5.0)
    assert intervals.ratio([8.0, 8.0], [2.0, 2.0]) == (4.0, 4.0, 4.0)


def test_the_interval_of_three_rounds_is_their_range():
    assert intervals.median([1.0, 1.5, 9.0]) == (1.5, 1.0, 9.0)


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


@pytest.fixture(scope="module")
def recorded():
    """Return the rounds of every case with 40 rounds in the reference run."""
    rows = records.read([ROOT / "results" / "amd-epyc-zen5-2-core" / "main.csv"])
    return [rounds.to_numpy() for _, rounds in rows.groupby(["workload", "trainer"])["seconds"] if len(rounds) == 40]


# Short epochs, with 40 rounds, are autocorrelated; long epochs, with fewer rounds, are not. The full study: results/intervals.
@pytest.mark.parametrize(("rounds", "together"), [(5, 1), (8, 1), (19, 1), (40, 1), (40, 5)])
@pytest.mark.parametrize("what", ["median", "ratio"])
def test_coverage_on_recorded_noise_is_about_95_percent(recorded, what, rounds, together):
    rng, covered = np.random.default_rng(1), 0

    def drawn(series):
        starts = rng.integers(len(series) - together + 1, size=rounds // together)
        return np.concatenate([series[start : start + together] for start in starts])

    for _ in range(500):
        one, other = (recorded[i] for i in rng.integers(len(recorded), size=2))
        if what == "median":
            truth, (_, low, high) = np.median(one), intervals.median(drawn(one))
        else:
            truth, (_, low, high) = np.median(one) / np.median(other), intervals.ratio(drawn(one), drawn(other))
        covered += low <= truth <= high
    # 92 to 98 %, plus three standard deviations of a share of 500 trials, which are 1.2 % and 0.6 %
    assert 0.92 - 0.036 <= covered / 500 <= 0.98 + 0.018


def test_autocorrelated_rounds_give_a_wider_interval_than_shuffled_rounds():
    rng = np.random.default_rng(0)
    slow = np.repeat(rng.normal(1, 0.01, 10), 4)
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


@pytest.mark.parametrize("values", [[], [[1.0]], [np.nan, 1.0], [np.inf]], ids=str)
def test_an_invalid_sample_is_an_error(values):
    with pytest.raises(ValueError, match=r"^values: .* shape \("):
        intervals.median(values)


@pytest.mark.parametrize("look", [1, 2, 5])
@pytest.mark.parametrize("n", [9, 12, 20])
def test_the_anytime_interval_agrees_with_the_signed_rank_test_of_scipy(n, look):
    x = np.random.default_rng(n).normal(0.02, 0.01, n)
    allowed, (_, low, high) = 0.05 / (look * (look + 1)), anytime_interval(x, look)
    step = 1e-9 * np.ptp(x)

    def p(centre):
        return wilcoxon(x - centre, method="exact").pvalue

    if math.isinf(high):
        assert 2**-n * 2 > allowed  # even the most extreme sum is too likely to reject
        return
    assert max(p(low - step), p(high + step)) <= allowed < min(p(low + step), p(high - step))


@pytest.mark.parametrize("n", [6, 9, 15])
def test_the_interval_of_a_median_lies_within_the_conservative_interval_of_scipy(n):
    x = np.sort(np.random.default_rng(n).exponential(1.0, n))
    conservative = quantile_test(x, q=0, p=0.5).confidence_interval(0.95)
    mine = intervals.median(x)
    assert conservative.low <= mine.low <= np.median(x) <= mine.high <= conservative.high
    inner = np.searchsorted(x, conservative.low) + 1, np.searchsorted(x, conservative.high) - 1
    assert mine.low <= x[inner[0]]  # between the order statistics with too high and too low a coverage
    assert mine.high >= x[inner[1]]


@pytest.mark.parametrize("n", [5, 20, 40])
def test_the_drift_is_the_theil_slope_if_kendalls_tau_is_significant(n):
    x = np.random.default_rng(n).normal(1, 0.02, n) * np.linspace(1, 1.3, n)
    slope = theilslopes(x, np.arange(n)).slope * (n - 1) / np.median(x)
    significant = kendalltau(np.arange(n), x).statistic * n * (n - 1) / 2 > 3.3 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    assert drift(x) == (pytest.approx(slope) if significant else 0)
    assert significant == (n > 5)
