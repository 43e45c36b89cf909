"""The gate's judgement: from pairs, as they come, to a word.

A verdict needs an interval that lies on one side of the margin, and *slower* needs two: after the first, pairs measured
afresh must say it again, and theirs is the ratio that is told. A run of bad luck that looks like a slowdown does not repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from bench.paired.pair import Pair
from bench.paired.sequential import interim_looks, kept
from bench.stats.intervals import Interval

Judgement = Literal["slower", "not slower", "faster", "undecided"]
Stages = dict[str, list[Pair]]
FIRST, AFRESH = "first", "afresh"
_NOTHING_KNOWN = Interval(1.0, float("-inf"), float("inf"))


def decide(pairs: Iterable[Pair], *, margin: float, seconds: float, stages: Stages | None = None) -> tuple[Judgement, Interval, Stages]:
    """Look at the pairs as they come, and return the word, the ratio that it rests on, and the pairs by stage.

    margin  how much slower is slower: 0.01 means a ratio above 1.01
    stages  where the pairs are to be put, so that whoever gave it has them even if the next one cannot be measured
    Where the time does not suffice to measure a slowdown afresh, the word is *undecided* and the ratio the first one.
    """
    endless = iter(pairs)
    stages = {} if stages is None else stages

    def measured(stage: str, seconds: float) -> tuple[Judgement, Interval]:
        judgement: Judgement = "undecided"
        ratio = _NOTHING_KNOWN
        for _, ratio in interim_looks(kept(endless, stages.setdefault(stage, [])), seconds):
            if (judgement := _judgement(ratio, margin)) != "undecided":
                break
        return judgement, ratio

    judgement, ratio = measured(FIRST, seconds)
    if judgement != "slower":
        return judgement, ratio, stages
    again, repeated = measured(AFRESH, seconds - sum(pair.seconds for pair in stages[FIRST]))
    return again, repeated if repeated.known else ratio, stages


def _judgement(ratio: Interval, margin: float) -> Judgement:
    if ratio.low > 1 + margin:
        return "slower"
    if ratio.high < 1 / (1 + margin):
        return "faster"
    return "not slower" if ratio.high < 1 + margin else "undecided"
