"""Breakdown of an epoch into arithmetic, memory, calls and the rest, from the columns of the CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.analysis.timings import Configuration, JobKey, Timings, ladder, timings
from bench.machine.roofline import Peaks, Work
from bench.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("arithmetic", "memory", "calls", "rest")
_MISSED = 0.10  # of the calls: a larger error of the fit shows that they have no fixed costs per step and per example

_NEEDED = ["call_seconds", "peak_flops", "peak_bytes", "flops", "bytes"]

Breakdowns = Mapping[tuple[Configuration, JobKey], Mapping[str, "Breakdown"]]


@dataclass(frozen=True)
class Breakdown:
    """The parts of a trainer's median epoch, in seconds.

    epoch       the whole
    arithmetic  the epoch's operations, at the rate of a large matrix product. No program avoids them
    memory      the epoch's bytes, at the rate of a large copy, as far as they take longer than the arithmetic: both may run at once
    calls       an epoch of as many steps and examples on the smallest network
    predicted   the calls by the fit; NaN without one
    step        fixed cost of a step, by the fit; three NaN without one
    example     fixed cost of an example, by the fit; three NaN without one
    arrays      arrays that a step allocates; NaN if unknown
    """

    epoch: Interval
    arithmetic: float
    memory: float
    calls: Interval
    predicted: float
    step: Interval
    example: Interval
    arrays: float

    @property
    def rest(self) -> float:
        """What the parts do not explain: cache misses, shapes too small for the peak, waiting. Negative if parts overlap, as on a GPU."""
        return self.epoch.value - self.arithmetic - self.memory - self.calls.value

    @property
    def seconds(self) -> tuple[float, float, float, float]:
        """The seconds of each of PARTS."""
        return self.arithmetic, self.memory, self.calls.value, self.rest

    @property
    def drawn(self) -> tuple[float, float, float, float]:
        """The seconds of each of PARTS in a bar as long as the epoch. If parts overlap, the later one is shortened."""
        left, lengths = self.epoch.value, []
        for part in self.seconds:
            lengths.append(min(max(part, 0.0), left))
            left -= lengths[-1]
        arithmetic, memory, calls, rest = lengths
        return arithmetic, memory, calls, rest

    @property
    def error(self) -> float:
        """Error of the calls predicted by the fit, relative to the measured ones; NaN without a fit."""
        return self.predicted / self.calls.value - 1

    @property
    def holds(self) -> bool:
        """Whether fixed costs per step and per example explain the calls; True without a fit.

        False if the fit is wrong by more than 10 %, and outside of the interval of the calls.
        """
        return not (abs(self.error) > _MISSED and not self.calls.low <= self.predicted <= self.calls.high)


def breakdowns(table: pd.DataFrame) -> tuple[Timings, Breakdowns]:
    """Return the breakdown of every case whose calls were measured, and the timings of these cases.

    table  as `records.read` returns it
    """
    times = timings(table[(table[_NEEDED] > 0).all(axis=1)])
    found: dict[tuple[Configuration, JobKey], dict[str, Breakdown]] = {}
    for (configuration, job, trainer), sample in times.epochs.items():
        row = times.rows[configuration, job, trainer]
        found.setdefault((configuration, job), {})[trainer] = _breakdown(row, sample.interval())
    return times, {key: {name: of[name] for name in ladder(of)} for key, of in found.items()}


def _breakdown(row: Mapping[Any, Any], epoch: Interval) -> Breakdown:
    peaks, work = Peaks(row["peak_flops"], row["peak_bytes"]), Work(row["flops"], row["bytes"])
    arithmetic = work.flops / peaks.flops
    return Breakdown(
        epoch=epoch,
        arithmetic=arithmetic,
        memory=peaks.floor(work) - arithmetic,
        calls=_interval(row, "call_seconds"),
        predicted=row["call_seconds_fitted"],
        step=_interval(row, "step_seconds"),
        example=_interval(row, "example_seconds"),
        arrays=row["arrays_per_step"],
    )


def _interval(row: Mapping[Any, Any], column: str) -> Interval:
    return Interval(row[column], row[f"{column}_low"], row[f"{column}_high"])
