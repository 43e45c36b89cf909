"""The gate's rule on pairs of known ratios."""

import itertools
from dataclasses import replace

import pytest

from bench.paired.rule import decide, slower_to_start, start_ratio
from bench.paired.sequential import interval_at
from tests.support.pairs import noisy, pairs


@pytest.mark.parametrize(
    ("ratio", "spread", "word"),
    [
        (1.0, 0.008, "not slower"),
        (1.02, 0.008, "slower"),
        (1.05, 0.03, "slower"),
        (0.9, 0.008, "faster"),
        (1.01, 0.008, "undecided"),  # exactly the margin
        (1.03, 0.25, "undecided"),  # too noisy
    ],
)
def test_verdicts(ratio, spread, word):
    verdict, interval, stages = decide(noisy(ratio, spread), margin=0.01, seconds=90)
    assert verdict == word
    assert interval.low <= interval.value <= interval.high
    assert sum(pair.seconds for stage in stages.values() for pair in stage) <= 90
    assert ("afresh" in stages) == (word == "slower")


def test_unchanged_code_is_not_called_slower():
    words = [decide(noisy(1.0, 0.02, seed), margin=0.01, seconds=90)[0] for seed in range(200)]
    assert words.count("slower") == 0


def test_a_slowdown_that_the_second_stage_does_not_confirm():
    spread = itertools.cycle([0.997, 1.003])
    bad_luck = pairs([1.05 * next(spread) for _ in range(8)])
    word, ratio, stages = decide(itertools.chain(bad_luck, noisy(1.0, 0.005)), margin=0.01, seconds=90)
    assert word == "not slower"
    assert ratio.high < 1.01, "the ratio of the second stage"
    assert len(stages["first"]) == 8


@pytest.mark.parametrize(("seconds", "pairs_afresh"), [(4.1, 1), (6.0, 4)])
def test_a_slowdown_without_time_to_confirm_it_is_undecided(seconds, pairs_afresh):
    spread = itertools.cycle([0.997, 1.003])
    stages = {}
    word, ratio, _ = decide((pair for [pair] in (pairs([1.05 * next(spread)]) for _ in itertools.count())),
                           margin=0.01, seconds=seconds, stages=stages)  # fmt: skip
    assert word == "undecided"
    assert 1.03 < ratio.low < ratio.high < 1.07, "the interval of the first stage"
    assert [len(stages[stage]) for stage in ("first", "afresh")] == [8, pairs_afresh]


def test_seven_pairs_have_an_interval():
    assert not interval_at(pairs([1.0] * 6), 1).known
    assert interval_at(pairs([1.0] * 7), 1).known


def test_a_family_of_decisions_needs_stronger_evidence():
    looks = [decide(noisy(1.03, 0.015, seed=3), margin=0.01, seconds=90, family=family)[2] for family in (1, 20)]
    one, twenty = (len(stages["first"]) for stages in looks)
    assert one < twenty
    assert interval_at(pairs([1.0] * 8), 1).known
    assert not interval_at(pairs([1.0] * 8), 1, family=20).known, "2 / 2^8 exceeds 5 % / 2 / 20"


def starting(a, b, number=12):
    """Return pairs whose contenders take about a and b seconds to start."""
    return [
        replace(pair, a_start=a * (1 + 0.02 * (i % 3)), b_start=b * (1 + 0.02 * (i % 2))) for i, pair in enumerate(pairs([1.0] * number))
    ]


@pytest.mark.parametrize(
    ("a", "b", "slower"),
    [(0.15, 0.1, True), (0.11, 0.1, False), (0.1, 0.15, False), (0.003, 0.001, False)],
    ids=["by half", "within the margin", "faster", "by 2 ms"],
)
def test_a_trainer_is_slower_to_start_beyond_a_wider_margin(a, b, slower):
    measured = starting(a, b)
    ratio = start_ratio(measured)
    assert ratio.low < a / b * 1.03
    assert slower_to_start(measured, ratio) is slower


def test_without_times_to_start_there_is_no_second_figure():
    assert start_ratio(pairs([1.0] * 12)) is None
    assert not slower_to_start([], None)
    assert not slower_to_start(starting(0.15, 0.1, number=6), start_ratio(starting(0.15, 0.1, number=6))), "too few pairs"
