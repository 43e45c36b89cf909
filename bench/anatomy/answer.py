"""Answer of `python -m bench anatomy`: the breakdown of every trainer's epoch, and the operations of some, as text, Markdown and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import records
from bench.analysis import namesakes, noise
from bench.analysis.timings import JobKey, Timings
from bench.anatomy.breakdown import Breakdown, Breakdowns, breakdowns, without_calls
from bench.anatomy.gpu_timeline import Timeline
from bench.anatomy.operations import BETWEEN, Operations
from bench.anatomy.stage_clocks import Clocks
from bench.machine.roofline import Peaks
from bench.stats.intervals import Interval
from bench.text.numbers import counted, digits, duration, duration_interval
from bench.text.tables import Table
from impls import InputError

_NOTES = (
    "arithmetic: operations at the peak of a matrix product; memory: bytes at the peak of a copy, beyond the arithmetic",
    "calls: overhead of Python, library and launches, measured as an epoch on a tiny network; rest: caches, small shapes, waiting",
    "step, example: what each costs in calls, fitted to epochs with other mini-batch sizes",
    "fit: how far the fit misses the calls; if by more than 10% and outside of their interval, the costs are not fixed",
    "allocations: how often NumPy allocates memory for an array in a step",
)


@dataclass(frozen=True)
class Anatomy:
    """The breakdowns by configuration and job.

    operations  of trainers on a CPU whose operations were timed one by one
    timelines   of trainers on a GPU
    clocks      of the stages of a step, of trainers whose kernel runs all steps, for each kind of warp
    missing     names of cases whose calls were not measured
    """

    timings: Timings
    breakdowns: Breakdowns
    operations: Sequence[tuple[JobKey, Operations, Peaks]] = ()
    timelines: Sequence[tuple[JobKey, str, Timeline]] = ()
    clocks: Sequence[tuple[JobKey, str, Mapping[str, Clocks]]] = ()
    missing: Sequence[str] = ()

    def text(self) -> str:
        """Return tables as terminal text."""
        return "\n\n".join(table.text() for table in self._tables())

    def markdown(self) -> str:
        """Return tables as Markdown."""
        return "\n\n".join(table.markdown() for table in self._tables())

    def json(self) -> str:
        """Return one JSON object. Seconds are per epoch; a cost without a fit is null."""
        epochs = [
            {"machine": configuration.label, "threads": configuration.threads, **job._asdict(), "trainer": trainer, **_json(one)}
            for (configuration, job), trainers in self.breakdowns.items()
            for trainer, one in trainers.items()
        ]
        operations = [
            {"workload": job.workload, "trainer": of.trainer, **kind._asdict(), "of_peak": _known(kind.of_peak(peaks))}
            for job, of, peaks in self.operations
            for kind in of.kinds
        ]
        timelines = [{"workload": job.workload, "trainer": trainer, **of._asdict()} for job, trainer, of in self.timelines]
        clocks = [
            {"workload": job.workload, "trainer": trainer, "warps": warps, **of._asdict()}
            for job, trainer, kinds in self.clocks
            for warps, of in kinds.items()
        ]
        disturbed = [one.json() for one in self.timings.disturbed]
        parts = {"epochs": epochs, "operations": operations, "timelines": timelines, "clocks": clocks, "disturbed": disturbed}
        return json.dumps({**parts, "missing": list(self.missing)}, indent=1)

    def _tables(self) -> Iterator[Table]:
        several = len({configuration for configuration, _ in self.breakdowns}) > 1
        for number, ((configuration, job), trainers) in enumerate(self.breakdowns.items()):
            runs = f", {counted(len(configuration.runs), 'run')}" if len(configuration.runs) > 1 else ""
            title = job.title + (f", {configuration.label}" if several else "") + runs
            noisy = {trainer for trainer in trainers if (configuration, job, trainer) in self.timings.noisy}
            yield parts_table(title, trainers, noisy, explained=not number)
            yield from (_of_operations(job, of, peaks) for where, of, peaks in self.operations if where == job)
            if mine := [(trainer, of) for where, trainer, of in self.timelines if where == job]:
                yield _of_timelines(job, mine)
            for trainer, kinds in ((trainer, kinds) for where, trainer, kinds in self.clocks if where == job):
                yield from (of.table(", ".join(filter(None, (trainer, job.workload, warps)))) for warps, of in kinds.items())
        flags = noise.format_lines(self.timings.disturbed, with_run=several)
        missing = [f"calls not measured: {', '.join(self.missing)}; the run's warnings say why"] if self.missing else []
        if flags or missing:
            yield Table(noise.TITLE if flags else "", (), (), [*flags, *missing])


def anatomy(paths: Sequence[Path]) -> Anatomy:
    """Break down the epochs in CSVs, or in directories of CSVs. Raises InputError if no run measured calls."""
    table = namesakes.read(records.files(paths))
    times, found = breakdowns(table)
    if not found:
        raise InputError(", ".join(map(str, paths)), "no run measured the calls of its epochs", "measure with --anatomy")
    return Anatomy(times, found, missing=without_calls(table))


def parts_table(title: str, trainers: Mapping[str, Breakdown], noisy: Collection[str], *, explained: bool = True) -> Table:
    """Return the table of one job: the parts of each trainer's epoch, in seconds and in percent.

    noisy: disturbed trainers; explained: with notes on the columns
    """
    costs = ("step (95 %)", "example (95 %)", "fit", "allocations")
    has_memory = any(one.memory for one in trainers.values())
    headings = ("trainer", "epoch (95 %)", "arithmetic", *(["memory"] if has_memory else []), "calls (95 %)", "rest", *costs)
    rows, notes = [], list(_NOTES) if explained else []
    for trainer, one in trainers.items():
        arithmetic, memory, _, rest = (_part(part, one.epoch.value) for part in one.seconds)
        calls = f"{duration_interval(one.calls)} {_percent(one.calls.value / one.epoch.value)}"
        allocations = f"{one.allocations:,.0f}" if math.isfinite(one.allocations) else "-"
        parts = (arithmetic, *([memory] if has_memory else []), calls, rest)
        name = f"{trainer}\n(disturbed)" if trainer in noisy else trainer
        rows.append((name, duration_interval(one.epoch), *parts, _cost(one.step), _cost(one.example), _fit(one), allocations))
        if not one.holds:
            notes.append(f"{trainer}: the fit misses its calls by {_fit(one)}, so its costs per step and per example are not fixed")
        if one.overlaps:
            notes.append(f"{trainer}: the parts exceed the epoch by {duration(-one.rest)}, so some of them overlap")
    return Table(title, headings, rows, notes, numbers=True)


def _of_operations(job: JobKey, of: Operations, peaks: Peaks) -> Table:
    headings = ("operations", "in an epoch", "share", "number", "GFLOP/s", "GB/s", "of peak")
    rows = [
        (
            one.kind,
            duration(one.seconds),
            f"{one.seconds / of.epoch:.1%}",
            f"{one.calls:,}",
            digits(one.flops / one.seconds / 1e9) if one.flops and one.seconds else "-",
            digits(one.bytes / one.seconds / 1e9) if one.seconds else "-",
            _percent(share) if math.isfinite(share := one.of_peak(peaks)) else "-",
        )
        for one in of.kinds
    ]
    rows.append((BETWEEN, _signed(of.between), f"{of.between / of.epoch:.1%}", "-", "-", "-", "-"))
    rows.append(("the whole epoch", duration(of.epoch), "100.0%", "-", "-", "-", "-"))
    notes = [
        "of peak: for a product, of the peak of a large product; for others, of the peak of a large copy, which arrays in caches exceed"
    ]
    if of.between < 0:
        notes.append("a negative time is noise of the measurement")
    return Table(f"{job.workload}: operations of {of.trainer}", headings, rows, notes, numbers=True)


def _of_timelines(job: JobKey, timelines: Sequence[tuple[str, Timeline]]) -> Table:
    headings = ("on the GPU", "launches a step", "kernels a step", "copies a step", "busy", "gaps")
    rows = []
    for trainer, of in timelines:
        counts = ("-" if number is None else digits(number / of.steps) for number in (of.launches, of.kernels, of.copies))
        rows.append((trainer, *counts, _percent(of.busy / of.span), _percent(1 - of.busy / of.span)))
    steps = max(of.steps for _, of in timelines)
    notes = [f"recorded over up to {steps} steps; busy: a kernel or a copy runs; recording makes short gaps longer"]
    return Table(f"{job.workload}: timelines of the GPU", headings, rows, notes, numbers=True)


def _json(one: Breakdown) -> dict[str, object]:
    numbers = {"calls_fitted": one.predicted, "allocations_per_step": one.allocations}
    intervals = {"epoch": one.epoch, "calls": one.calls, "step": one.step, "example": one.example}
    return {
        **{name: interval.json() if math.isfinite(interval.value) else None for name, interval in intervals.items()},
        **dict(zip(("arithmetic", "memory", "rest"), (one.arithmetic, one.memory, one.rest), strict=True)),
        **{name: _known(number) for name, number in numbers.items()},
        "fit_holds": one.holds,
    }


def _fit(one: Breakdown) -> str:
    return f"{one.error:+.0%}".replace("-0%", "+0%") if math.isfinite(one.error) else "-"


def _known(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _part(seconds: float, epoch: float) -> str:
    return f"{_signed(seconds)} {_percent(seconds / epoch)}" if seconds else "-"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _signed(seconds: float) -> str:
    return f"-{duration(-seconds)}" if seconds < 0 else duration(seconds)


def _cost(seconds: Interval) -> str:
    """Format a cost and its interval in microseconds or nanoseconds. A cost of 0 is one that the fit does not see."""
    if not math.isfinite(seconds.value):
        return "-"
    factor, unit = (1e6, "us") if seconds.high >= 1e-6 else (1e9, "ns")
    value, low, high = (digits(factor * end) if end else "0" for end in seconds)
    return f"{value} {unit} ({low}-{high})" if seconds.value else f"< {high} {unit}"
