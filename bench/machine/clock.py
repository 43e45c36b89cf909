"""How fine and how quick the clock is that times an epoch, time.perf_counter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.text.numbers import duration
from impls import InputError

_READINGS = 1000
_MOST = 1_000_000  # readings, some 50 ms, in which a clock that ticks at all has ticked
_SHARE = 0.01  # of an epoch: what nobody claims to tell apart


@dataclass(frozen=True)
class Clock:
    """tick: seconds of its smallest step; reading: seconds that it takes to be read."""

    tick: float
    reading: float

    def __str__(self) -> str:
        return f"steps of {duration(self.tick)}, {duration(self.reading)} to read"

    def warning(self, seconds: float) -> str | None:
        """Return why it cannot time an epoch of so many seconds to a percent, or None if it can."""
        if self.tick + self.reading <= _SHARE * seconds:
            return None
        return f"an epoch of {duration(seconds)} is too short for a clock with {self}; train on more --examples"


def measure(now: Callable[[], float] = time.perf_counter) -> Clock:
    """Read the clock 1,000 times and until it has ticked twice: a tenth of a millisecond, if it is a good one.

    Raises InputError if it does not tick.
    """
    first = last = now()
    steps = []
    for reading in range(1, _MOST):
        before, last = last, now()
        if last > before:
            steps.append(last - before)
        if reading >= _READINGS and len(steps) > 1:
            return Clock(min(steps[1:]), (last - first) / reading)  # the first reading may have come in the middle of a step
    raise InputError(f"time.perf_counter stood still for {_MOST:,} readings: nothing can be timed on this system")
