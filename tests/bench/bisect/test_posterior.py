"""Probability of each commit to be the first slow one."""

import math

import numpy as np
import pytest

from bench.bisect.posterior import Posterior

SLOW = math.log(1.05)


def posterior(ratios, *, skipped=(), base=0, last=8, margin=0.01):
    return Posterior(ratios, skipped, base=base, last=last, margin=margin)


def known(last=8):
    """Return the pairs of the last commit, which is slow."""
    return {last: [SLOW, SLOW + 0.004, SLOW - 0.004] * 4}


def test_without_pairs_all_commits_are_equally_likely():
    assert list(posterior(known()).probabilities().values()) == pytest.approx([1 / 8] * 8)


def test_a_fast_commit_excludes_itself_and_those_before_it_and_a_slow_one_those_after_it():
    probabilities = posterior({**known(), 3: [0.001, -0.002] * 3, 6: [SLOW, SLOW + 0.002] * 3}).probabilities()
    assert sum(probabilities[commit] for commit in (4, 5, 6)) > 0.99
    assert probabilities[4] == pytest.approx(probabilities[6])


def test_one_outlier_does_not_decide():
    quiet = posterior({**known(), 3: [0.001] * 6}).probabilities()
    outlier = posterior({**known(), 3: [0.001] * 6 + [0.4]}).probabilities()
    assert sum(outlier[commit] for commit in (4, 5, 6, 7, 8)) > 0.9
    assert sum(quiet[commit] for commit in (4, 5, 6, 7, 8)) > 0.99


def test_a_commit_between_two_steps_is_slow_if_it_exceeds_the_margin():
    ratios = {8: [math.log(1.08)] * 12, 4: [math.log(1.03), math.log(1.032)] * 5}
    assert sum(posterior(ratios).probabilities()[commit] for commit in (1, 2, 3, 4)) > 0.95
    assert sum(posterior(ratios, margin=0.05).probabilities()[commit] for commit in (5, 6, 7, 8)) > 0.95


def test_after_a_culprit_the_others_are_compared_with_it():
    ratios = {2: [SLOW, SLOW - 0.001] * 5, 5: [SLOW, SLOW + 0.001] * 5, 8: [2 * SLOW, 2 * SLOW + 0.001] * 5}
    found = posterior(ratios, base=2)
    assert set(found.probabilities()) == {3, 4, 5, 6, 7, 8}
    assert sum(found.probabilities()[commit] for commit in (6, 7, 8)) > 0.99


def test_the_next_pair_is_in_the_middle_of_the_odds_unless_another_is_much_cheaper():
    assert posterior(known()).next(lambda commit: 1.0) == 4
    assert posterior(known()).next(lambda commit: 1.0 if commit == 6 else 5.0) == 6
    assert posterior(known(), skipped={4}).next(lambda commit: 1.0) in (3, 5)
    assert posterior(known(1), last=1).next(lambda commit: 1.0) is None


def test_skipped_commits_are_in_the_group_of_the_next_one():
    assert posterior(known(), skipped={3, 4, 7}).groups() == [[1], [2], [3, 4, 5], [6], [7, 8]]
    group, probability = posterior(known(), skipped={3, 4, 7}).likeliest()
    assert (group, probability) == ([3, 4, 5], pytest.approx(3 / 8))


def test_a_doubt_moves_the_odds_to_the_other_commits():
    found = posterior({**known(), 3: [0.0] * 6, 5: [SLOW] * 6})
    before = found.probabilities()
    found.doubt([4], 1e-3)
    assert found.probabilities()[4] < 0.01 < before[4]
    assert found.probabilities()[5] > 0.9


def test_a_slowdown_by_orders_of_magnitude_is_no_less_sure():
    ratios = {8: [math.log(30)] * 12, 4: [math.log(29)], 3: [0.0]}
    assert posterior(ratios).likeliest()[0] == [4]
    assert np.isfinite(list(posterior(ratios).probabilities().values())).all()
