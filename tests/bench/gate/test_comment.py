"""The comment for a pull request."""

import math
from dataclasses import replace

import pytest

from bench.gate.comment import MARKER, comment, sparkline
from bench.gate.growth import compared
from bench.gate.verdict import Report, Verdict
from bench.stats.intervals import Interval
from tests.support.pairs import pairs

SLOWER = Verdict("matrix", "slower", "wide", 2, Interval(1.05, 1.04, 1.06), {"first": pairs([1.2]), "afresh": pairs([0.99, 1.05, 1.06])})


def report(*verdicts):
    return Report("1a2b (main)", "3c4d", 0.01, verdicts, None)


def test_the_comment_begins_with_the_marker_and_the_verdict():
    first, second = comment(report(SLOWER, Verdict("loop", "not slower", "wide", 2))).splitlines()[:2]
    assert (first, second) == (MARKER, "**matrix on wide, 2 threads takes 1.050 times as long (1.040 to 1.060)**")


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([Verdict("matrix", "not slower", "nielsen", 1, Interval(1.0, 0.99, 1.005))], "No trainer is slower by 1.0% or more."),
        ([], "No trainer's code differs from the base."),
        ([Verdict("matrix", "undecided", "nielsen", 1)], "**Not judged: matrix (undecided)**"),
        ([Verdict("matrix", "broken", "nielsen", 1, reason="raised")], "**matrix on nielsen, 1 thread is broken**"),
        ([Verdict("matrix", "slower", "nielsen", 1, Interval(1.2, -math.inf, math.inf))], "**matrix on nielsen, 1 thread is slower**"),
    ],
)
def test_the_verdict_in_words(verdicts, said):
    assert comment(report(*verdicts)).splitlines()[1] == said


def test_the_bars_are_the_pairs_behind_the_verdict_on_a_scale_with_one():
    assert sparkline(SLOWER) == "▁▇█"
    assert "`▁▇█` matrix on wide, 2 threads" in comment(report(SLOWER))
    assert sparkline(Verdict("matrix", "not slower", "nielsen", 1, None, {"first": pairs([1.0, 1.0])})) == "▁▁"


def test_why_it_is_slower_and_the_share_of_pairs_won_are_in_every_report():
    sides = {"b": {"epoch": 20e-3, "calls": 6e-3}, "a": {"epoch": 21e-3, "calls": 7e-3}}
    found = report(replace(SLOWER, why=compared([sides])))
    for text in (found.text(), found.markdown(), comment(found)):
        assert "calls +1.00 ms" in text
        assert "1 of 3" in text, "won by the new side"
    assert '"won_pairs": 1' in found.json()
    assert '"part": "calls"' in found.json()


def test_several_workloads_and_threads_are_columns():
    several = report(SLOWER, Verdict("matrix", "not slower", "nielsen", 1))
    assert "workload" in several.text()
    assert "workload" not in report(SLOWER).text().splitlines()[1]
