"""Energy that the processors and the GPU use, from their counters: RAPL through Linux's powercap, and NVML.

A counter advances in steps, so a reading is up to a step old.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.machine import gpu
from bench.machine.processor import text_of

_POWERCAP = Path("/sys/class/powercap")
_IDLE_SECONDS, _POLL = 1.0, 0.002
_MOST_WATTS = 1000  # of a processor package


class Counter:
    """A counter that may return to 0 after a range."""

    def __init__(self, name: str, read: Callable[[], float], span: float = math.inf) -> None:
        """name: in results; read: returns joules; span: joules at which the counter returns to 0, if it does"""
        self.name, self.span = name, span
        self._read = read
        self._last, self._before = read(), 0.0

    def joules(self) -> float:
        """Return a number of joules that never falls, if it is called at least once in each range.

        Returns NaN from then on if it falls without a range, or cannot be read any more: that must not fail a case.
        """
        try:
            now = self._read()
        except Exception:  # of the system, or of NVML
            now = math.nan
        if not now >= self._last:
            self._before += self.span if math.isfinite(self.span) and math.isfinite(now) else math.nan
        self._last = now
        return self._before + now


@dataclass(frozen=True)
class Counters:
    """The counters of a device, at least one.

    idle_watts  power while this process does nothing; None if the counters are too coarse for that
    steps       largest time between two steps of each counter, in seconds
    """

    counters: Sequence[Counter]
    idle_watts: float | None
    steps: Sequence[float]

    @property
    def names(self) -> str:
        """The names of the counters."""
        return " + ".join(counter.name for counter in self.counters)

    @property
    def step(self) -> float:
        """The largest time between two steps of a counter, in seconds."""
        return max(self.steps)

    @property
    def slowest(self) -> Counter:
        """The counter with this time."""
        return self.counters[self.steps.index(self.step)]

    @property
    def longest(self) -> float:
        """The seconds of a round in which no counter can pass its range twice."""
        return min(counter.span for counter in self.counters) / _MOST_WATTS

    def joules(self) -> float:
        """Return the sum of the counters."""
        return sum(counter.joules() for counter in self.counters)


def find(device: str, powercap: Path = _POWERCAP) -> tuple[list[Counter], str]:
    """Return the counters of the device, and why some are missing. The energy of a GPU's epoch includes that of the processors.

    device    "cpu" or "gpu"
    powercap  directory where Linux shows RAPL's counters
    """
    counters, reason = _rapl(powercap)
    if device == "gpu":
        of_gpu = _nvml()
        return ([*counters, of_gpu], reason) if of_gpu else ([], "NVML shows no energy of this GPU")
    return counters, reason


def measured(counters: Sequence[Counter]) -> Counters:
    """Measure the power at idle and the steps of the counters, which takes a second, and return them."""
    end = time.perf_counter() + _IDLE_SECONDS
    steps = [[(time.perf_counter(), counter.joules())] for counter in counters]
    while time.perf_counter() < end:
        time.sleep(_POLL)
        for seen, counter in zip(steps, counters, strict=True):
            if (joules := counter.joules()) != seen[-1][1]:
                seen.append((time.perf_counter(), joules))
    idle = [_between_steps(seen[1:]) for seen in steps]  # the first reading is in the middle of a step
    watts = sum(watts for watts, _ in idle)
    return Counters(counters, watts if math.isfinite(watts) else None, [longest for _, longest in idle])


def _between_steps(seen: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the watts from the first step of a counter to its last, and the largest time between two steps. NaN without two steps"""
    if len(seen) < 2:
        return math.nan, _IDLE_SECONDS
    times, joules = np.array(seen).T
    return float((joules[-1] - joules[0]) / (times[-1] - times[0])), float(np.diff(times).max())


def _rapl(powercap: Path) -> tuple[list[Counter], str]:
    """Return RAPL's counters of the packages, and why there is none. A package includes its cores, but not always its memory."""
    zones = [zone for zone in sorted(powercap.glob("intel-rapl:*")) if text_of(zone / "name").startswith("package")]
    if not zones:
        return [], f"{powercap} shows no RAPL counter"
    try:
        return [_of_zone(zone) for zone in zones], ""
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a number"
        return [], f"RAPL: {zones[0]}/energy_uj cannot be read ({why}); allow it with sudo chmod a+r {powercap}/intel-rapl:*/energy_uj"


def _of_zone(zone: Path) -> Counter:
    def read() -> float:
        return int((zone / "energy_uj").read_text()) / 1e6

    span = text_of(zone / "max_energy_range_uj").strip()
    return Counter(f"RAPL {text_of(zone / 'name').strip()}", read, int(span) / 1e6 if span.isdecimal() else math.inf)


def _nvml() -> Counter | None:
    if not (device := gpu.nvml_device()):
        return None
    nvml, handle = device
    with suppress(nvml.NVMLError, AttributeError):  # a GPU before Volta, or a virtual one
        return Counter("NVML", lambda: float(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000)
    return None
