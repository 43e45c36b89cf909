"""Energy of an epoch, from the counters of the processors and the GPU.

A counter advances in steps, so a reading is up to a step old. `Meter` reads the counters around whole rounds only, and its interval
includes the steps.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np

from bench.machine.energy import Counters
from bench.stats import intervals


class Joules(NamedTuple):
    """Energy of an epoch as columns of the CSV: the mean of the rounds with its interval, the power in rounds and at idle, the counters."""

    joules: float | None = None
    joules_low: float | None = None
    joules_high: float | None = None
    watts: float | None = None
    idle_watts: float | None = None
    energy_counters: str = ""


class Meter:
    """The energy of rounds."""

    def __init__(self, counters: Counters) -> None:
        self._counters, self._begin = counters, 0.0
        self._joules: list[float] = []
        self._seconds: list[float] = []

    def begin(self) -> None:
        """Begin a round."""
        self._begin, self._at = self._counters.joules(), time.perf_counter()

    def end(self) -> None:
        """End a round."""
        self._seconds.append(time.perf_counter() - self._at)
        self._joules.append(self._counters.joules() - self._begin)

    def result(self) -> Joules:
        """Return the energy of the rounds so far; nothing if a counter may have lost some.

        Each of a round's two readings may be a step old, independently of the others. So the mean of n rounds has a standard error of
        sqrt(2 / n) steps, in addition to that from their spread.
        """
        if not np.isfinite(self._joules).all() or max(self._seconds) > self._counters.longest:
            return Joules()
        watts = sum(self._joules) / sum(self._seconds)
        value, low, high = intervals.mean(self._joules, error=math.sqrt(2 / len(self._joules)) * watts * self._counters.step)
        known = high if math.isfinite(high) else None
        return Joules(value, max(low, 0.0), known, watts, self._counters.idle_watts, self._counters.names)
