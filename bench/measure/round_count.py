"""Warm-up time and number of rounds of a case."""

from __future__ import annotations

from bench.stats.intervals import FEWEST

SECONDS_A_CASE = 5.0
WARM_UP_SECONDS = 0.5  # and at least one epoch: caches fill, clock frequencies rise
_ROUNDS = range(FEWEST, 41)


def rounds_that_fit(epoch: float) -> int:
    """Return the number of rounds for an epoch of that many seconds: as many as fit into SECONDS_A_CASE, from FEWEST to 40."""
    return min(max(int(SECONDS_A_CASE / epoch), _ROUNDS[0]), _ROUNDS[-1])
