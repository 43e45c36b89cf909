"""Tests of the change points: how often a flat series has one, and how often a step is found."""

import numpy as np
import pytest
from scipy.stats import t

from bench.stats.change_points import _student_quantile, change_points


def series(rng, *, spread, commits=30, runs=1, step=0.0, at=0):
    return [spread * rng.standard_normal(runs) + (step if commit >= at else 0) for commit in range(commits)]


@pytest.mark.parametrize("commits", [2, 3, 10, 30])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.02, 0.025])
def test_at_most_one_flat_history_in_twenty_has_a_change(spread, commits):
    rng = np.random.default_rng(commits)
    false = sum(bool(change_points(series(rng, spread=spread, commits=commits))) for _ in range(400))
    assert false / 400 <= 0.05


def test_four_of_five_steps_of_10_percent_are_found_and_placed():
    rng, found = np.random.default_rng(1), 0
    for _ in range(300):
        at = int(rng.integers(1, 30))
        found += at in change_points(series(rng, spread=0.02, step=0.1, at=at))
    assert found / 300 >= 0.8


def test_several_runs_of_a_commit_are_pooled():
    rng = np.random.default_rng(2)
    found = [sum(15 in change_points(series(rng, spread=0.02, runs=runs, step=0.05, at=15)) for _ in range(200)) for runs in (1, 4)]
    assert found[0] < found[1]
    assert found[1] / 200 >= 0.95


def test_two_steps_are_two_changes():
    levels = [0.0] * 5 + [0.3] * 3 + [0.1] * 6
    assert change_points([[level] for level in levels]) == [5, 8]
    assert change_points([]) == change_points([[0.0, 0.5]]) == []


@pytest.mark.parametrize("freedom", [10, 38])
@pytest.mark.parametrize("probability", [0.975, 0.999, 0.9995])
def test_the_quantile_is_that_of_scipy(probability, freedom):
    assert _student_quantile(probability, freedom) == pytest.approx(t.ppf(probability, freedom), rel=2e-3)
