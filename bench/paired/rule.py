"""Decision rule of the gate: pairs in, verdict out.

The gate computes the interval of the ratio at each look (`interim_looks` in bench/paired/sequential.py). It stops when the interval lies
on one side of the margin, or when the time is up. *slower* needs two such intervals: a second set of pairs, measured afresh, must confirm
the first, and the report shows the ratio of the second set. A false alarm by chance rarely repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Literal

from bench.paired.pair import Pair
from bench.paired.sequential import interim_looks, kept
from bench.stats import intervals
from bench.stats.intervals import Interval

START_MARGIN = 0.25  # smallest slowdown to report of the constructor and a `load`, which vary more than an epoch
_START_SECONDS = 0.005  # and the smallest in seconds

Decision = Literal["slower", "not slower", "faster", "undecided"]
Stages = dict[str, list[Pair]]
FIRST, AFRESH = "first", "afresh"
_NOTHING_KNOWN = Interval(1.0, float("-inf"), float("inf"))


def decide(
    pairs: Iterable[Pair], *, margin: float, seconds: float, stages: Stages | None = None, family: int = 1
) -> tuple[Decision, Interval, Stages]:
    """Measure pairs until a decision; return the decision, the ratio it is based on, and the pairs by stage.

    pairs    an endless iterator that measures each pair on demand
    margin   smallest slowdown to report: 0.01 means a ratio above 1.01
    seconds  time budget of both stages
    stages   receives the pairs, so that the caller has them even if a later pair fails
    family   number of decisions that together have the error rate of one
    If there is no time to confirm a slowdown, the decision is *undecided*, with the ratio of the first stage.
    """
    endless = iter(pairs)
    stages = {} if stages is None else stages

    def measured(stage: str, seconds: float) -> tuple[Decision, Interval]:
        decision: Decision = "undecided"
        ratio = _NOTHING_KNOWN
        for _, ratio in interim_looks(kept(endless, stages.setdefault(stage, [])), seconds, family=family):
            if (decision := _decision(ratio, margin)) != "undecided":
                break
        return decision, ratio

    decision, ratio = measured(FIRST, seconds)
    if decision != "slower":
        return decision, ratio, stages
    again, repeated = measured(AFRESH, seconds - sum(pair.seconds for pair in stages[FIRST]))
    return again, repeated if repeated.known else ratio, stages


def start_ratio(pairs: Sequence[Pair], *, family: int = 1) -> Interval | None:
    """Return the ratio of the times to start, a over b, with its interval; None if a pair has none."""
    if not pairs or not all(pair.a_start and pair.b_start for pair in pairs):
        return None
    logs = intervals.anytime_interval([math.log(pair.a_start / pair.b_start) for pair in pairs], 1, family=family)
    return Interval(*map(math.exp, logs)) if logs.known else logs._replace(value=math.exp(logs.value))


def slower_to_start(pairs: Sequence[Pair], ratio: Interval | None) -> bool:
    """Return whether contender a takes longer to start: by more than START_MARGIN, and by some milliseconds."""
    if ratio is None or not ratio.low > 1 + START_MARGIN:
        return False
    return median(pair.a_start - pair.b_start for pair in pairs) > _START_SECONDS


def _decision(ratio: Interval, margin: float) -> Decision:
    if ratio.low > 1 + margin:
        return "slower"
    if ratio.high < 1 / (1 + margin):
        return "faster"
    return "not slower" if ratio.high < 1 + margin else "undecided"
