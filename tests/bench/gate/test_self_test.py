"""The gate's self-test: slowdowns that change only the time, and verdict rates drawn from recorded pairs."""

import re

import numpy as np
import pytest

from bench.gate import planted_slowdowns, self_test
from bench.paired.pair import Pair
from impls import Network, load_trainer
from impls.testing import same_bits, trained


def recorded(ratio, spread, seed=0, count=60):
    ratios = ratio * np.exp(np.random.default_rng(seed).normal(0, spread, count))
    return [Pair(a=(0.02 * r,) * 6, b=(0.02,) * 6, order="ababab", seconds=0.6) for r in ratios]


@pytest.mark.parametrize("kind", planted_slowdowns.KINDS)
def test_a_planted_trainer_computes_the_same_with_extra_work(kind, small, monkeypatch):
    worked = []
    monkeypatch.setitem(planted_slowdowns.KINDS, kind, lambda work=planted_slowdowns.KINDS[kind]: worked.append(work()))
    start = Network.scaled([6, 4, 3])
    slowed = planted_slowdowns.plant("matrix", "_backprop", kind, 1.5)
    assert same_bits(trained(slowed, start, small, batch_size=4), trained(load_trainer("matrix"), start, small, batch_size=4))
    assert len(worked) == 9, "one and a half units in each of the six steps"


def test_rates_of_unchanged_and_of_slowed_code():
    unchanged = self_test.resample(recorded(1.0, 0.01), slower=0.0, margin=0.01, seconds=90, trials=100)
    slowed = self_test.resample(recorded(1.05, 0.01), slower=0.05, margin=0.01, seconds=90, trials=100)
    assert unchanged.words == {"not slower": pytest.approx(1)}
    assert slowed.words == {"slower": pytest.approx(1)}
    assert slowed.measured == pytest.approx(0.05, abs=0.005)
    assert unchanged.seconds < slowed.seconds < 90, "*slower* takes two stages"


def test_the_table_has_false_alarms_and_the_smallest_detected_slowdown():
    def rates(*shares):
        levels = zip((0.0, *self_test.LEVELS), (0.0, *shares), strict=True)
        return [self_test.Rates(level, level, 60, 100, {"slower": share, "undecided": 1 - share}, 30.0) for level, share in levels]

    text = self_test.table(rates(0.5, 0.96, 1.0, 1.0)).text()
    assert "false alarms: 0.00% of 100 trials" in text
    assert re.search(r"^smallest slowdown detected .* 95% .*: 3%$", text, re.MULTILINE)
    assert "none of 2%, 3%, 5%, 10%" in self_test.table(rates(0.0, 0.1, 0.2, 0.9)).text()
