"""Breakdown of an epoch into arithmetic, memory, calls and the rest, from the columns of the CSV."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import records
from bench.analysis.timings import Configuration, JobKey, Timings, ladder, timings
from bench.anatomy import calls
from bench.machine.roofline import Peaks, Work
from bench.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd

PARTS = ("arithmetic", "memory", "calls", "rest")
_MISSED = 0.10  # of the calls: a larger error of the fit shows that they have no fixed costs per step and per example

_NUMBERS = [*calls.COLUMNS, "allocations_per_step"]
_NEEDED = ["call_seconds", "peak_flops", "peak_bytes", "flops", "bytes"]

Breakdowns = Mapping[tuple[Configuration, JobKey], Mapping[str, "Breakdown"]]
_PEAK_OF = ["device", "accelerator", "accelerator_backend", "dtype"]  # what has a peak of its own


@dataclass(frozen=True)
class Breakdown:
    """The parts of a trainer's median epoch, in seconds.

    epoch        the whole
    arithmetic   the epoch's operations, at the rate of a large matrix product. No program avoids them
    memory       the epoch's bytes, at the rate of a large copy, as far as they take longer than the arithmetic: both may run at once
    calls        an epoch of as many steps and examples on a tiny network
    predicted    the calls by the fit; NaN without one
    step         fixed cost of a step, by the fit; three NaN without one
    example      fixed cost of an example, by the fit; three NaN without one
    allocations  how often NumPy allocates memory for an array in a step; NaN if unknown
    peaks        the two rates
    """

    epoch: Interval
    arithmetic: float
    memory: float
    calls: Interval
    predicted: float
    step: Interval
    example: Interval
    allocations: float
    peaks: Peaks

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
    def overlaps(self) -> bool:
        """Whether the parts exceed the epoch, so that some of them must overlap."""
        return self.rest < 0

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
    The peaks are the best of the configuration's runs, because a peak is a maximum, and a run measures it again for every case. If several
    runs measured the calls of a case, their medians count.
    """
    rows = table[(table[_NEEDED] > 0).all(axis=1)]
    times = timings(rows)
    cases: dict[tuple[Configuration, JobKey, str], tuple[pd.DataFrame, Peaks]] = {}
    for configuration in times.configurations:
        mine = rows[rows["run_id"].isin(configuration.runs) & (rows["kind"] == "timing") & (rows["ranks"] == configuration.ranks)]
        best = mine.groupby(_PEAK_OF)[["peak_flops", "peak_bytes"]].max()
        for key, case in mine.groupby([*records.JOB, "trainer"], sort=False):
            *names, trainer = tuple[Any, ...](key)
            cases[configuration, JobKey(*names), trainer] = case, Peaks(*best.loc[tuple(case[_PEAK_OF].iloc[0])])
    found: dict[tuple[Configuration, JobKey], dict[str, Breakdown]] = {}
    for (configuration, job, trainer), sample in times.epochs.items():
        case, peaks = cases[configuration, job, trainer]
        work = Work(int(case["flops"].iloc[0]), int(case["bytes"].iloc[0]))
        numbers = case.drop_duplicates("run_id")[_NUMBERS].median().to_dict()
        found.setdefault((configuration, job), {})[trainer] = _breakdown(sample.interval(), peaks, work, numbers)
    return times, {key: {name: of[name] for name in ladder(of)} for key, of in found.items()}


def without_calls(table: pd.DataFrame) -> list[str]:
    """Return the names of the cases whose calls were not measured, in runs that measured those of others: "nielsen mine:Mine"."""
    runs = table[table["call_seconds"] > 0]["run_id"].unique()
    missing = table[table["run_id"].isin(runs) & ~(table["call_seconds"] > 0)]
    return [f"{workload} {trainer}" for workload, trainer in dict.fromkeys(zip(missing["workload"], missing["trainer"], strict=True))]


def _breakdown(epoch: Interval, peaks: Peaks, work: Work, numbers: Mapping[Any, Any]) -> Breakdown:
    def interval(column: str) -> Interval:
        return Interval(numbers[column], numbers[f"{column}_low"], numbers[f"{column}_high"])

    arithmetic = work.flops / peaks.flops
    return Breakdown(
        epoch=epoch,
        arithmetic=arithmetic,
        memory=peaks.floor(work) - arithmetic,
        calls=interval("call_seconds"),
        predicted=numbers["call_seconds_fitted"],
        step=interval("step_seconds"),
        example=interval("example_seconds"),
        allocations=numbers["allocations_per_step"],
        peaks=peaks,
    )
