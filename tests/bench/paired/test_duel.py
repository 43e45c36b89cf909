"""Tests of the rounds of a pair: how many there are, and in which order the contenders train."""

import math
from itertools import count

import numpy as np
import pytest

from bench.paired import duel
from bench.paired.duel import ROUNDS, Duel
from bench.paired.pair import Pair, ratio_error


class Trained:
    """A worker whose epochs take the given seconds, by a clock that only its epochs advance."""

    def __init__(self, clock, times):
        self.clock, self.times = clock, times

    def resume(self):
        pass

    suspend = resume

    def epoch(self, patience):
        seconds = next(self.times)
        self.clock.now += seconds
        return seconds


@pytest.fixture
def rounds(monkeypatch):
    """Return a function that runs the rounds of a pair with epochs of these seconds."""

    def run(a, b):
        monkeypatch.setattr(duel.time, "monotonic", lambda: run.now)
        match = Duel(None, None, "", "", None, None, threads=1, patience=1.0, enough=2.0, referee=None, facts={}, left_behind={})
        return match._rounds({"a": Trained(run, iter(a)), "b": Trained(run, iter(b))})

    run.now = 0.0
    return run


def noisy(spread, seed, seconds=0.02):
    rng = np.random.default_rng(seed)
    return (seconds * math.exp(rng.normal(0, spread)) for _ in count())


def test_a_quiet_pair_has_the_fewest_rounds(rounds):
    order, seconds = rounds(noisy(0.002, 1), noisy(0.002, 2))
    assert len(order) == len(seconds["a"]) == len(seconds["b"]) == ROUNDS[0]


def test_a_noisy_pair_has_more_rounds_and_both_contenders_begin_equally_often(rounds):
    order, seconds = rounds(noisy(0.3, 1), noisy(0.3, 2))
    assert len(seconds["a"]) == ROUNDS[-1]
    assert {order[i : i + 2] for i in range(0, len(order), 2)} == {"ab", "ba"}


def test_long_epochs_end_a_noisy_pair_early(rounds):
    order, _ = rounds(noisy(0.3, 1, seconds=0.3), noisy(0.3, 2, seconds=0.3))
    assert len(order) == ROUNDS[0]


def test_more_rounds_make_a_noisy_pair_precise(rounds):
    ratios = []
    for seed in range(200):
        _, seconds = rounds(noisy(0.05, seed), noisy(0.05, seed + 1000))
        ratios.append(Pair(tuple(seconds["a"]), tuple(seconds["b"]), "", 1.0).log_ratio)
    assert np.std(ratios) < 0.6 * 1.25 * 0.05 * math.sqrt(2 / ROUNDS[0]), "less than of the fewest rounds"
    assert abs(np.mean(ratios)) < 4 * np.std(ratios) / math.sqrt(len(ratios)), "no bias"


def test_the_error_is_the_spread_of_the_median():
    rng = np.random.default_rng(0)
    drawn = np.exp(rng.normal(0, 0.05, (2000, 2, 20)))
    errors = [ratio_error(a, b) for a, b in drawn]
    medians = [np.median(np.log(a) - np.log(b)) for a, b in drawn]
    assert np.mean(errors) == pytest.approx(np.std(medians), rel=0.1)
