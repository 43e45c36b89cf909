"""The search, in histories whose pairs are drawn from noise."""

import math

import numpy as np
import pytest

from bench.bisect.search import Findings, search
from bench.paired.many_duels import Unmeasurable
from tests.support.pairs import pairs


class Commits:
    """Commits with known times. The clock advances by a second per pair, and by three for each commit that is new."""

    def __init__(self, slowdowns, *, last, broken=(), spread=0.004, seed=0):
        """slowdowns: factors of the time from a commit on"""
        self.levels = [sum(math.log(factor) for at, factor in slowdowns.items() if at <= commit) for commit in range(last + 1)]
        self.broken, self.spread, self.rng = broken, spread, np.random.default_rng(seed)
        self.time, self.seen = 0.0, set()

    def pairs(self, commit, base):
        for one in (base, commit):
            if one in self.broken:
                raise Unmeasurable(one, "does not run")
        self.time += 3 * len({commit, base} - self.seen)
        self.seen |= {commit, base}
        while True:
            self.time += 1
            yield from pairs([math.exp(self.levels[commit] - self.levels[base] + self.rng.normal(0, self.spread))], seconds=1.0)

    def cost(self, commit):
        return 1.0 if commit in self.seen else 4.0

    def now(self):
        return self.time


def found_in(commits, last, *, margin=0.01, seconds=600.0):
    found = Findings()
    search(commits, last, found, margin=margin, seconds=seconds)
    return found


@pytest.mark.parametrize("culprit", [1, 2, 37, 64])
def test_the_culprit_is_found_with_the_ratio_to_its_parent(culprit):
    commits = Commits({culprit: 1.04}, last=64)
    found = found_in(commits, 64)
    (one,) = found.culprits
    assert (one.commits, one.before) == ((culprit,), culprit - 1)
    assert one.ratio.low < 1.04 < one.ratio.high
    assert commits.time < 200
    assert found.rest is None or found.rest[0] == "not slower"


def test_culprits_are_found_one_after_another():
    found = found_in(Commits({9: 1.05, 30: 1.08, 31: 1.03}, last=40), 40)
    assert [one.commits for one in found.culprits] == [(9,), (30,), (31,)]


def test_a_range_that_is_no_slower_has_no_culprit():
    found = found_in(Commits({3: 1.004}, last=10), 10)
    assert (found.culprits, found.whole[0], found.left) == ([], "not slower", None)


def test_commits_that_do_not_run_are_skipped():
    found = found_in(Commits({20: 1.05}, last=40, broken={10, 30, 35}), 40)
    assert [one.commits for one in found.culprits] == [(20,)]


def test_a_culprit_among_commits_that_do_not_run_is_one_of_them():
    (one,) = found_in(Commits({20: 1.05}, last=40, broken={19, 20}), 40).culprits
    assert (one.commits, one.before) == ((19, 20, 21), 18)
    assert one.ratio.value == pytest.approx(1.05, abs=0.01)


def test_a_last_commit_that_does_not_run_is_an_error():
    with pytest.raises(Unmeasurable):
        found_in(Commits({2: 1.1}, last=4, broken={4}), 4)


def test_without_time_the_odds_remain():
    found = found_in(Commits({20: 1.05}, last=40), 40, seconds=45)
    assert not found.culprits
    odds = found.left.probabilities()
    assert sum(odds.values()) == pytest.approx(1)
    assert odds[20] > 1 / 40


def test_a_commit_that_its_parent_refutes_is_not_named():
    """The last pairs of commit 5 with the first commit were disturbed; its pairs with its parent are not."""

    class Disturbed(Commits):
        def pairs(self, commit, base):
            extra = 0.05 if (commit, base) == (5, 0) else 0.0
            for pair in super().pairs(commit, base):
                yield from pairs([math.exp(pair.log_ratio + extra)], seconds=1.0)

    assert [one.commits for one in found_in(Disturbed({9: 1.05}, last=12), 12).culprits] == [(9,)]
