"""Intervals: right on known data, and holding the truth as often as they claim."""

import numpy as np
import pytest

from bench import intervals


def test_median_and_ratio_of_known_data():
    assert intervals.median([3.0, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert intervals.median([5.0]) == (5.0, 5.0, 5.0)
    assert intervals.ratio([8.0, 8.0], [2.0, 2.0]) == (4.0, 4.0, 4.0)


def test_three_rounds_reach_from_the_least_to_the_largest_as_the_docstring_says():
    assert intervals.median([1.0, 1.5, 9.0]) == (1.5, 1.0, 9.0)


def test_the_same_data_show_the_same_interval_in_any_unit():
    times = np.random.default_rng(0).lognormal(size=20)
    assert intervals.median(times) == intervals.median(times)
    np.testing.assert_allclose(intervals.median(1000 * times), 1000 * np.array(intervals.median(times)))
    value, low, high = intervals.ratio(times, times)
    assert value == 1
    assert low < 1 < high


def test_more_rounds_make_it_narrower():
    times = np.random.default_rng(0).lognormal(sigma=0.1, size=160)
    widths = [np.ptp(intervals.median(times[:n])[1:]) for n in (10, 40, 160)]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("what", ["median", "ratio"])
def test_a_95_percent_interval_holds_the_truth_about_95_percent_of_the_time(what):
    # 400 trials: the share held varies by 1.1 % (one standard deviation) around a true 95 %, so 91.5 to 98.5 is three of them
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        x, y = rng.lognormal(0.0, 0.1, 15), rng.lognormal(0.0, 0.1, 15)
        _, low, high = intervals.median(x) if what == "median" else intervals.ratio(x, y)
        held += low <= 1 <= high
    assert 0.915 <= held / 400 <= 0.985


@pytest.mark.parametrize("values", [[], [[1.0]], [np.nan, 1.0], [np.inf]], ids=str)
def test_what_is_no_sample_is_refused(values):
    with pytest.raises(ValueError, match="one finite value"):
        intervals.median(values)
