"""Tests of the least-squares fit of costs."""

import numpy as np
import pytest
from scipy.optimize import nnls

from bench.stats.least_squares import nonnegative


@pytest.mark.parametrize("seed", range(20))
def test_a_fit_is_the_one_of_scipy(seed):
    rng = np.random.default_rng(seed)
    counts, times = rng.random((6, 3)) * 10.0 ** rng.integers(0, 3, 3), rng.random(6) + 0.01
    expected, _ = nnls(counts / times[:, np.newaxis], np.ones(6))
    assert nonnegative(counts, times) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_each_column_of_times_is_fitted():
    counts = np.array([(1, 8, 80), (1, 32, 320), (1, 8, 320), (1, 32, 1280)])
    costs = np.array([[1e-5, 2e-5], [4e-6, 0.0], [2e-8, 3e-8]])
    assert nonnegative(counts, counts @ costs) == pytest.approx(costs, rel=1e-6, abs=1e-12)
