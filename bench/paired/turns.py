"""Pairs of many contenders with one base, in turns of one pair each."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from bench.paired.many_duels import ManyDuels, Unmeasurable
from bench.system.progress import progress


def measure_in_turns(
    duels: ManyDuels, ratios: dict[int, list[float]], skipped: dict[int, str], *, names: Sequence[str], pairs: int, end: float
) -> None:
    """Measure until each contender has enough pairs with number 0, or the time is up.

    ratios   the log ratios of each contender's pairs, by its number; new ones are appended
    skipped  receives the reason why a contender cannot be measured
    names    of the contenders, for the progress
    end      by time.monotonic()
    """
    while waiting := [at for at, logs in ratios.items() if len(logs) < pairs and at not in skipped]:
        fewest = min(len(ratios[at]) for at in waiting)
        turn = [at for at in waiting if len(ratios[at]) == fewest]
        for at in random.sample(turn, len(turn)):  # in random order, so that the machine's speed affects all alike
            if time.monotonic() + duels.cost(at) > end:
                return
            progress(f"turn {fewest + 1} of {pairs}: {names[at]}")
            try:
                ratios[at].append(next(duels.pairs(at, 0)).log_ratio)
            except Unmeasurable as reason:
                skipped[at] = str(reason)
