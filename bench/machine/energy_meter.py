"""Energy of an epoch, from the counters of the processors and the GPU.

A counter advances in steps, so a reading is up to a step old: NVML's advances every 0.1 s on an H200, where an epoch takes 0.004 s.
`Meter` reads the counters around whole rounds only. `of_stretches` is for shorter epochs: it repeats them from step to step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.machine.energy import Counters
from bench.stats import intervals

_LEAST = 4  # steps of a counter in a round; of fewer, the steps would be most of the interval
_STRETCHES, _STEPS = 8, 3  # their number, and the steps of a counter in each: 2.4 s with NVML
_LOOKS = 4  # in a step, to see when it ends
_GIVE_UP = 3  # times as long as the stretches should take


class Joules(NamedTuple):
    """Energy of an epoch as columns of the CSV: the mean with its interval, the power while it was measured and at idle, the counters."""

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

    @property
    def too_short(self) -> bool:
        """Whether the rounds are too short for the steps of the counters."""
        return float(np.median(self._seconds)) < _LEAST * self._counters.step

    def result(self) -> Joules:
        """Return the energy of the rounds so far; nothing if a counter may have lost some.

        Each of a round's two readings may be a step old, independently of the others. So the mean of n rounds has a standard error of
        sqrt(2 / n) steps, in addition to that from their spread.
        """
        if max(self._seconds) > self._counters.longest:
            return Joules()
        return _joules(self._counters, self._joules, self._seconds, late=math.sqrt(2 / len(self._joules)) * self._counters.step)


def of_stretches(counters: Counters, epoch: Callable[[], object]) -> Joules:
    """Repeat an epoch for a number of stretches, each from a step of the slowest counter to a later one, and return the energy of one.

    Returns nothing if that counter stops.
    """
    slowest, look = counters.slowest, counters.step / _LOOKS
    give_up = time.perf_counter() + _GIVE_UP * expected_seconds(counters)
    epochs, seen, readings = 0, slowest.joules(), list[tuple[int, float, float]]()
    steps = _STEPS - 1  # the first stretch begins at the next one
    while len(readings) <= _STRETCHES:
        begin, now = time.perf_counter(), -math.inf
        while now < begin + look:
            epoch()
            epochs, now = epochs + 1, time.perf_counter()
        last, seen = seen, slowest.joules()
        steps += seen != last
        if steps == _STEPS:
            readings.append((epochs, counters.joules(), now))
            steps = 0
        if now > give_up:
            return Joules()
    number, joules, seconds = np.diff(np.array(readings), axis=0).T
    # Stretches share their ends, so only the first and the last end are an error of the mean. Each is seen up to a look or an epoch late.
    late = math.sqrt(2) * max(look, float(np.median(seconds / number))) / number.sum()
    return _joules(counters, joules / number, seconds / number, late=late)


def expected_seconds(counters: Counters) -> float:
    """Return about how long `of_stretches` takes."""
    return (1 + _STRETCHES * _STEPS) * counters.step


def _joules(counters: Counters, joules: npt.ArrayLike, seconds: npt.ArrayLike, *, late: float) -> Joules:
    """Return the energy of an epoch. late: standard error of the mean's seconds, because of the steps"""
    if not np.isfinite(joules).all():
        return Joules()
    watts = float(np.sum(joules) / np.sum(seconds))
    value, low, high = intervals.mean(joules, error=late * watts)
    return Joules(value, max(low, 0.0), high if math.isfinite(high) else None, watts, counters.idle_watts, counters.names)
