"""How long a case is timed: its warm-up, and how many rounds fit into its time."""

from __future__ import annotations

from bench.stats.intervals import FEWEST

SECONDS_A_CASE = 5.0
WARM_UP_SECONDS = 0.5  # and one epoch at least: caches fill, clocks rise
_ROUNDS = range(FEWEST, 41)


def rounds_that_fit(epoch: float) -> int:
    """Return how many rounds a case has whose epoch takes that many seconds: those that fit into its time, but from FEWEST to 40."""
    return min(max(int(SECONDS_A_CASE / epoch), _ROUNDS[0]), _ROUNDS[-1])
