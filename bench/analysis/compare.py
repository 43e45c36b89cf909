"""Comparison of trainers across machines (`python -m bench compare`): epochs, speedups, winners, crossovers and other differences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import records
from bench.analysis import namesakes, noise
from bench.analysis.crossovers import Crossing, crossings
from bench.analysis.timings import Configuration, JobKey, Timings, timings
from bench.analysis.winners import Winner, winner
from bench.machine.accelerators import SOFTWARE
from bench.stats.intervals import Interval
from bench.text.numbers import counted, duration_interval, times_interval
from bench.text.tables import Table
from impls import InputError
from impls.errors import unknown

# Per fact: what a difference in it means for a comparison.
_THEREFORE = {
    **dict.fromkeys(("cpu", "cpu_id", "caches"), "trainers on the CPU differ because of the processor"),
    "cores": "trainers on the CPU may differ because of the number of cores",
    "memory_gib": "usually no effect, because training needs less than 1 GiB",
    "gpu": "trainers on the GPU differ because of it",
    "system_model": "trainers may differ because of the computer or the kind of virtual machine",
    "threads": "no trainer is comparable; rerun with the same --threads",
    "ranks": "no trainer is comparable; rerun with the same number of ranks",
    "blas": "matrix and other trainers on NumPy may differ because of the BLAS",
    "blas_kernels": "matrix and other trainers on NumPy may differ by half, because the BLAS chose other kernels",
    "numpy": "loop and matrix may differ because of NumPy",
    "python": "loop may differ because of the interpreter",
    "os": "small differences may come from the scheduler and the allocator",
    "gpu_driver": "small differences of GPU trainers may come from the driver",
    "cuda": "GPU trainers may differ because of the CUDA libraries",
    "commit": "trainers may differ because their code changed; check with versus TRAINER@COMMIT",
    "dirty": "trainers with uncommitted changes are not reproducible",
}

# Facts about a trainer: what a difference in it means.
_OF_TRAINERS = {"library": "may differ because of its library", "device": "differs because of its device"}


@dataclass(frozen=True)
class ComparisonCell:
    """A trainer's epoch time on a configuration, over all its runs, and its speedup over the baseline."""

    epoch: Interval
    speedup: Interval | None
    runs: int
    rounds: int


@dataclass(frozen=True)
class Difference:
    """A fact that differs between configurations: its values on each, and what that means for a comparison."""

    fact: str
    values: Mapping[Configuration, tuple[str, ...]]
    therefore: str


@dataclass(frozen=True)
class Comparison:
    """The comparison of several machines, for output as text, Markdown or JSON."""

    timings: Timings
    baseline: Configuration
    cells: dict[tuple[JobKey, str, Configuration], ComparisonCell]
    winners: dict[tuple[JobKey, Configuration], Winner]
    crossings: list[Crossing]
    differences: list[Difference]

    @property
    def comparable(self) -> bool:
        """Whether there is only one machine, or at least one job that two machines timed."""
        machines = {configuration.machine for configuration in self.timings.configurations}
        return len(machines) == 1 or any(len({s.machine for s in self.timings.of(job)}) > 1 for job in self.timings.jobs)

    def text(self) -> str:
        """Return the tables as text for a terminal."""
        return "\n\n".join(table.text() for table in self._tables())

    def markdown(self) -> str:
        """Return the tables as Markdown for an issue or a README."""
        return "\n\n".join(table.markdown() for table in self._tables())

    def json(self) -> str:
        """Return the comparison as one JSON object. An infinite end of an interval is null."""
        facts: defaultdict[Configuration, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for (configuration, fact), values in self.timings.facts.items():
            facts[configuration][fact] = values
        configurations = [asdict(configuration) | {"facts": facts[configuration]} for configuration in self.timings.configurations]
        cells: defaultdict[JobKey, list[dict[str, Any]]] = defaultdict(list)
        for (job, trainer, configuration), cell in self.cells.items():
            ends = {"epoch": cell.epoch.json(), "speedup": cell.speedup and cell.speedup.json()}
            cells[job].append({"trainer": trainer, "setup": configuration.label} | ends | {"runs": cell.runs, "rounds": cell.rounds})
        winners: defaultdict[JobKey, list[dict[str, Any]]] = defaultdict(list)
        for (job, configuration), won in self.winners.items():
            second = {"second": won.second, "ahead": won.ahead and won.ahead.json(), "level": won.level}
            winners[job].append({"setup": configuration.label, "trainer": won.trainer} | second)
        tables = [
            {
                "job": {name: getattr(value, "item", lambda value=value: value)() for name, value in job._asdict().items()},
                "cells": cells[job],
                "winners": winners[job],
            }
            for job in self.timings.jobs
        ]
        crossed = [asdict(crossing) | {"setup": crossing.configuration.label, "at": crossing.at.json()} for crossing in self.crossings]
        differing = [
            {
                "fact": d.fact,
                "values": {configuration.label: values for configuration, values in d.values.items()},
                "do_not_compare": d.therefore,
            }
            for d in self.differences
        ]
        return json.dumps(
            {"baseline": self.baseline.label, "comparable": self.comparable, "setups": configurations, "tables": tables}
            | {"crossings": crossed, "differences": differing, "disturbed": [one.json() for one in self.timings.disturbed]},
            allow_nan=False,
        )

    def _tables(self) -> Iterator[Table]:
        for job in self.timings.jobs:
            yield self._of_job(job)
        if self.crossings:
            yield self._of_crossings()
        yield self._of_differences()
        if self.timings.disturbed:
            yield Table(noise.TITLE, (), (), noise.format_lines(self.timings.disturbed))

    def _of_job(self, job: JobKey) -> Table:
        configurations = self.timings.of(job)
        keys = {trainer: [(job, trainer, configuration) for configuration in configurations] for trainer in self.timings.trainers(job)}
        cells = {trainer: [self.cells.get(key) for key in line] for trainer, line in keys.items()}
        rows = [[trainer, *(_shown(self.cells.get(key), self.timings.rows.get((key[2], job, trainer))) for key in line)]
                for trainer, line in keys.items()]  # fmt: skip
        rows.append(["fastest", *(_won(self.winners.get((job, configuration))) for configuration in configurations)])
        compared = any(cell and cell.speedup for line in cells.values() for cell in line)
        notes = [f"x: speedup over {self.baseline.label}"] if compared else []
        return Table(job.title, ["trainer", *(configuration.label for configuration in configurations)], rows, notes)

    def _of_crossings(self) -> Table:
        crossed = {crossing.configuration for crossing in self.crossings}
        configurations = [configuration for configuration in self.timings.configurations if configuration in crossed]
        winning = [crossing for crossing in self.crossings if crossing.wins]
        texts: defaultdict[tuple[str, Configuration], list[str]] = defaultdict(list)
        for crossing in winning:
            texts[crossing.line, crossing.configuration].append(str(crossing))
        rows = [
            [line, *("\n".join(texts.get((line, configuration), ["-"])) for configuration in configurations)]
            for line in dict.fromkeys(crossing.line for crossing in winning)
        ]
        others = len(self.crossings) - len(winning)
        notes = [f"--json lists {counted(others, 'more crossing')}, between trainers that are not the fastest"] if others else []
        return Table(
            "Where the fastest trainer changes (95 % intervals)",
            ["axis", *(configuration.label for configuration in configurations)],
            rows,
            notes,
        )

    def _of_differences(self) -> Table:
        rows = [
            [d.fact, *(_listed(d.values.get(configuration, ())) for configuration in self.timings.configurations), d.therefore]
            for d in self.differences
        ]
        notes = list(self._alone())
        if not rows:
            notes = ["none: hardware, threads, BLAS, versions and commit are the same", *notes]
        return Table(
            "Other differences",
            ["", *(configuration.label for configuration in self.timings.configurations), "effect"],
            rows,
            notes,
        )

    def _alone(self) -> Iterator[str]:
        """Yield a note for each machine with jobs that no other machine timed, if there are several machines."""
        if len({configuration.machine for configuration in self.timings.configurations}) == 1:
            return
        only_there: dict[str, list[str]] = {}
        for job in self.timings.jobs:
            machines = {configuration.machine for configuration in self.timings.of(job)}
            if len(machines) == 1:
                only_there.setdefault(machines.pop(), []).append(f"{job.workload} ({job.examples:,} examples, {job.dtype})")
        for machine, names in only_there.items():
            yield f"only on {machine}, not compared: {_listed(names)}"


def compare(paths: Sequence[Path], *, baseline: str | None, broken: Callable[[Path, InputError], None] | None = None) -> Comparison:
    """Compare the timings in CSVs, or in directories of CSVs.

    paths     CSV files, or directories to search
    baseline  a machine's name or a configuration's label; None: the first in the rows
    broken    called with each file that cannot be read, and its error; the file is then skipped. None: raise the error
    Raises InputError if a file cannot be read, if there are no timed rounds, or if the baseline is unknown.
    """
    times = timings(namesakes.read(records.files(paths), broken=broken))
    if not times.configurations:
        raise InputError(", ".join(map(str, paths)), "no timed rounds, only training", "measure with pytest bench --benchmark-only")
    return comparison(times, baseline=baseline)


def comparison(times: Timings, *, baseline: str | None) -> Comparison:
    """Compare all timings. Raises InputError if the baseline is unknown."""
    base = _baseline(times, baseline)
    cells, winners = {}, {}
    for job in times.jobs:
        against = times.of(job).get(base, {})
        for configuration, timed in times.of(job).items():
            if calm := times.calm(job, configuration):
                winners[job, configuration] = winner(calm)
            for trainer, epochs in timed.items():
                speedup = against[trainer].over(epochs) if trainer in against and configuration != base else None
                cells[job, trainer, configuration] = ComparisonCell(
                    epochs.interval(), speedup, len(epochs.runs), sum(map(len, epochs.runs))
                )
    return Comparison(times, base, cells, winners, crossings(times), list(_differences(times)))


def _baseline(times: Timings, name: str | None) -> Configuration:
    for configuration in times.configurations:
        if name in (None, configuration.label, configuration.machine):
            return configuration
    raise unknown("machine", str(name), dict.fromkeys(configuration.machine for configuration in times.configurations))


def _differences(times: Timings) -> Iterator[Difference]:
    for fact in ("threads", "ranks"):
        values: dict[Configuration, tuple[str, ...]] = {
            configuration: (str(getattr(configuration, fact)),) for configuration in times.configurations
        }
        if len(set(values.values())) > 1:
            yield Difference(fact, values, _THEREFORE[fact])
    leading = list(_THEREFORE)
    facts = sorted((*records.HARDWARE, *records.FACTS), key=lambda fact: leading.index(fact) if fact in leading else len(leading))
    for fact in (*facts, *(f"{what} of {trainer}" for what in _OF_TRAINERS for trainer in times.trainers())):
        values = {
            configuration: times.facts[configuration, fact]
            for configuration in times.configurations
            if (configuration, fact) in times.facts
        }
        if len({frozenset(value) for value in values.values()}) > 1 or any(len(value) > 1 for value in values.values()):
            yield Difference(fact, values, _THEREFORE.get(fact) or _effect(fact, values))


def _effect(fact: str, values: Mapping[Configuration, tuple[str, ...]]) -> str:
    """Return the effect of a difference in a trainer's library or device. values: of the fact"""
    what, _, trainer = fact.partition(" of ")
    software = what == "device" and any(f", {SOFTWARE}" in value for each in values.values() for value in each)
    return f"{trainer} {_OF_TRAINERS[what]}{'; software is not a GPU' if software else ''}"


def _shown(cell: ComparisonCell | None, row: Mapping[Any, Any] | None) -> str:
    """Return the text of a cell. row: the first row of its epochs"""
    if cell is None or row is None:
        return "-"
    pooled = f", {cell.runs} runs" if cell.runs > 1 else ""
    lines = [f"{duration_interval(cell.epoch)}{pooled}", times_interval(cell.speedup) if cell.speedup else ""]
    return "\n".join(filter(None, [*lines, "in software" if row["accelerator_kind"] == SOFTWARE else ""]))


def _won(winner: Winner | None) -> str:
    if winner is None:
        return "-"
    if winner.ahead is None:
        return winner.trainer
    if winner.level:
        return f"{winner.trainer}\ntied with {', '.join(winner.level)}"
    return f"{winner.trainer}\n{times_interval(winner.ahead)} as fast as {winner.second}"


def _listed(values: Sequence[str], most: int = 4) -> str:
    shown = [value or "-" for value in values]
    return ", ".join(shown[:most]) + (f" and {len(shown) - most} more" if len(shown) > most else "") or "-"
