"""Resolution and read time of the clock that times an epoch, time.perf_counter."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.text.numbers import duration
from impls import InputError

_READINGS = 1000
_MOST = 1_000_000  # readings, about 50 ms, in which a working clock has advanced
_SHARE = 0.01  # of an epoch: the largest acceptable clock error


@dataclass(frozen=True)
class Clock:
    """The clock's properties. tick: its smallest step in seconds; reading: seconds to read it."""

    tick: float
    reading: float

    def __str__(self) -> str:
        return f"resolution {duration(self.tick)}, {duration(self.reading)} to read"

    def warning(self, seconds: float) -> str | None:
        """Return a warning if the clock cannot time an epoch of `seconds` to 1 %, else None."""
        if self.tick + self.reading <= _SHARE * seconds:
            return None
        return f"clock: an epoch of {duration(seconds)} is too short ({self}); increase --examples"


def measure(now: Callable[[], float] = time.perf_counter) -> Clock:
    """Read the clock at least 1,000 times, until it has advanced twice. This takes about 0.1 ms with a good clock.

    now  returns the time in seconds
    Raises InputError if the clock does not advance.
    """
    first = last = now()
    steps = []
    for reading in range(1, _MOST):
        before, last = last, now()
        if last > before:
            steps.append(last - before)
        if reading >= _READINGS and len(steps) > 1:
            return Clock(min(steps[1:]), (last - first) / reading)  # the first reading may fall within a step
    raise InputError("time.perf_counter", f"did not advance in {_MOST:,} readings", "benchmark on another system")
