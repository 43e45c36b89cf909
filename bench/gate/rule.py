"""The gate's stopping rule: when enough pairs are measured, and what they say.

The gate looks at the interval of the ratio after some of the pairs (`interim_looks` of bench/paired/sequential.py says after which) and
stops as soon as the interval lies on one side of the margin, or when the seconds are up. *slower* needs two such intervals: pairs
measured afresh must repeat the first, and the report shows their ratio. A run of bad luck that looks like a slowdown does not repeat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from bench.paired.pair import Pair
from bench.paired.sequential import interim_looks, kept
from bench.stats.intervals import Interval

Decision = Literal["slower", "not slower", "faster", "undecided"]
Stages = dict[str, list[Pair]]
FIRST, AFRESH = "first", "afresh"
_NOTHING_KNOWN = Interval(1.0, float("-inf"), float("inf"))


def decide(pairs: Iterable[Pair], *, margin: float, seconds: float, stages: Stages | None = None) -> tuple[Decision, Interval, Stages]:
    """Measure pairs until they decide; return the decision, the ratio on which it rests, and the pairs by stage.

    pairs    endless; each one is measured when it is asked for
    margin   the least slowdown that counts: 0.01 means a ratio above 1.01
    seconds  for both stages together
    stages   filled with the pairs, so that the caller has them even if the next one cannot be measured
    If the time is too short to measure a slowdown afresh, the decision is *undecided* and the ratio the first one.
    """
    endless = iter(pairs)
    stages = {} if stages is None else stages

    def measured(stage: str, seconds: float) -> tuple[Decision, Interval]:
        decision: Decision = "undecided"
        ratio = _NOTHING_KNOWN
        for _, ratio in interim_looks(kept(endless, stages.setdefault(stage, [])), seconds):
            if (decision := _decision(ratio, margin)) != "undecided":
                break
        return decision, ratio

    decision, ratio = measured(FIRST, seconds)
    if decision != "slower":
        return decision, ratio, stages
    again, repeated = measured(AFRESH, seconds - sum(pair.seconds for pair in stages[FIRST]))
    return again, repeated if repeated.known else ratio, stages


def _decision(ratio: Interval, margin: float) -> Decision:
    if ratio.low > 1 + margin:
        return "slower"
    if ratio.high < 1 / (1 + margin):
        return "faster"
    return "not slower" if ratio.high < 1 + margin else "undecided"
