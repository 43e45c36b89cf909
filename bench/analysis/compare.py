"""Comparison of trainers across machines (`python -m bench compare`): epochs, speedups, winners, crossovers and other differences."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bench import records
from bench.analysis import namesakes
from bench.analysis.compare_tables import tables
from bench.analysis.crossovers import Crossing, crossings
from bench.analysis.headline import sentences
from bench.analysis.speeds import Key, MachineRatio, Speeds, same_work, speedup
from bench.analysis.timings import Configuration, JobKey, Timings, timings
from bench.analysis.winners import Winner, winner
from bench.machine.accelerators import SOFTWARE
from bench.stats.intervals import Interval
from bench.text.tables import escaped
from impls import InputError
from impls.errors import unknown

# Per fact: what a difference in it means for a comparison.
_THEREFORE = {
    **dict.fromkeys(("cpu", "cpu_id", "caches"), "trainers on the CPU differ because of the processor"),
    "cores": "trainers on the CPU may differ because of the number of cores",
    "memory_gib": "usually no effect, because training needs less than 1 GiB",
    "gpu": "trainers on the GPU differ because of it",
    "system_model": "trainers may differ because of the computer or the kind of virtual machine",
    "threads": "a machine counts at its fastest number; for an equal number rerun with --threads",
    "ranks": "a machine counts at its fastest number; for an equal number rerun with as many ranks",
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
    """A trainer's epoch time on a configuration, over all its runs, and its speedup over the baseline.

    by_rate: whether the speedup is that of the examples per second, because the baseline trained on another number of examples
    """

    epoch: Interval
    speedup: Interval | None
    by_rate: bool
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

    @cached_property
    def ranking(self) -> list[MachineRatio]:
        """The speed of each machine, fastest first, relative to the baseline, or to another if the baseline has no common case."""
        speeds = Speeds(self.timings)
        return speeds.ranking(speeds.base(self.baseline.machine))

    @cached_property
    def by_speed(self) -> list[Configuration]:
        """The configurations in the order of their machines' speeds."""
        place = {one.machine: position for position, one in enumerate(self.ranking)}
        return sorted(self.timings.configurations, key=lambda configuration: place.get(configuration.machine, len(place)))

    @property
    def comparable(self) -> bool:
        """Whether there is only one machine, or at least one job that two machines timed, perhaps with other numbers of examples."""
        machines: dict[JobKey, set[str]] = {}
        for job in self.timings.jobs:
            machines.setdefault(same_work(job), set()).update(one.machine for one in self.timings.of(job))
        return len(set().union(*machines.values())) == 1 or any(len(timed) > 1 for timed in machines.values())

    def _answer(self) -> list[str]:
        """Return the paragraph with the answer, if there is one."""
        return ["\n".join(found)] if (found := sentences(self)) else []

    def text(self) -> str:
        """Return the tables as text for a terminal."""
        return "\n\n".join([*self._answer(), *(table.text() for table in tables(self))])

    def markdown(self) -> str:
        """Return the tables as Markdown for an issue or a README."""
        return "\n\n".join([*map(escaped, self._answer()), *(table.markdown() for table in tables(self))])

    def json(self) -> str:
        """Return the comparison as one JSON object. An infinite end of an interval is null."""
        facts: defaultdict[Configuration, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for (configuration, fact), values in self.timings.facts.items():
            facts[configuration][fact] = values
        configurations = [asdict(configuration) | {"facts": facts[configuration]} for configuration in self.timings.configurations]
        cells: defaultdict[JobKey, list[dict[str, Any]]] = defaultdict(list)
        for (job, trainer, configuration), cell in self.cells.items():
            ends = {"epoch": cell.epoch.json(), "speedup": cell.speedup and cell.speedup.json()}
            known = {"runs": cell.runs, "rounds": cell.rounds, "by_rate": cell.by_rate}
            disturbed = {"disturbed": (configuration, job, trainer) in self.timings.noisy}
            cells[job].append({"trainer": trainer, "setup": configuration.label} | ends | known | disturbed)
        winners: defaultdict[JobKey, list[dict[str, Any]]] = defaultdict(list)
        for (job, configuration), won in self.winners.items():
            second = {"second": won.second, "ahead": won.ahead and won.ahead.json(), "level": won.level, "uncertain": won.uncertain}
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
        machines = [
            {"machine": one.machine, "base": one.base, "speed": one.ratio and one.ratio.json(), "cases": one.common} for one in self.ranking
        ]
        answer = {"sentences": sentences(self), "machines": machines}
        return json.dumps(
            {"answer": answer, "baseline": self.baseline.label, "comparable": self.comparable, "setups": configurations, "tables": tables}
            | {"crossings": crossed, "differences": differing, "disturbed": [one.json() for one in self.timings.disturbed]},
            allow_nan=False,
        )


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
    """Compare all timings. Raises InputError if the baseline is unknown.

    baseline: as for `compare`; if it is one of several configurations of a machine among others, that machine has no other
    """
    base = _baseline(times, baseline)
    machines = {configuration.machine for configuration in times.configurations}
    if baseline not in (None, base.machine) and len(machines) > 1:
        times = times.without({one for one in times.configurations if one.machine == base.machine and one is not base})
    cells, winners = {}, {}
    for job in times.jobs:
        for configuration, timed in times.of(job).items():
            if calm := times.calm(job, configuration):
                disturbed = {trainer: epochs for trainer, epochs in timed.items() if trainer not in calm}
                winners[job, configuration] = winner(calm, disturbed)
            for trainer, epochs in timed.items():
                over, by_rate = _speedup(times, base, (configuration, job, trainer)) if configuration != base else (None, False)
                runs, rounds = len(epochs.runs), sum(map(len, epochs.runs))
                cells[job, trainer, configuration] = ComparisonCell(epochs.interval(), over, by_rate, runs, rounds)
    return Comparison(times, base, cells, winners, crossings(times), list(_differences(times)))


def _speedup(times: Timings, base: Configuration, key: Key) -> tuple[Interval | None, bool]:
    """Return the speedup over the base, and whether their numbers of examples differ. None: the base did not time this work."""
    _, job, trainer = key
    others = [other for other in times.jobs if same_work(other) == same_work(job) and (base, other, trainer) in times.epochs]
    if not others:
        return None, False
    other = max(others, key=lambda other: (other == job, other.examples))
    return speedup(times, key, (base, other, trainer)), other != job


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
            several = len({configuration.machine for configuration in values}) > 1
            yield Difference(fact, values, _THEREFORE[fact] if several else "the epochs differ because of it")
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
