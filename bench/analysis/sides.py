"""Sides of a comparison: the machines, or the configurations of a single machine, each with the epochs to show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.analysis.speeds import Case, Key, chosen, same_work, with_disturbed
from bench.analysis.timings import JobKey, Timings
from bench.analysis.winners import Winner, winner
from bench.stats.intervals import Interval, Sample

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison


@dataclass(frozen=True, eq=False)
class Side:
    """A machine at its fastest numbers of threads and ranks. If there is only one machine, a configuration of it.

    keys      its epochs by case: a case has a job, without its number of examples if there are several machines, and a trainer
    speedups  over the baseline, by case; a disturbed case has none
    """

    label: str
    times: Timings
    keys: Mapping[Case, Key]
    speedups: Mapping[Case, Interval]

    def ran(self, work: JobKey) -> bool:
        """Return whether any trainer was timed on this work."""
        return any(of == work for of, _ in self.keys)

    def epochs(self, work: JobKey, trainer: str) -> Sample:
        """Return the epochs of a trainer on work that this side ran."""
        return self.times.epochs[self.keys[work, trainer]]

    @cached_property
    def winners(self) -> dict[JobKey, Winner]:
        """The fastest trainer of each work, by examples per second. Work of which every case was disturbed has none."""
        calm: dict[JobKey, dict[str, Key]] = {}
        noisy: dict[JobKey, dict[str, Key]] = {}
        for (work, trainer), key in self.keys.items():
            (noisy if key in self.times.noisy else calm).setdefault(work, {})[trainer] = key
        found = {}
        for work, keys in calm.items():
            epochs = self._comparable(keys | noisy.get(work, {}))
            found[work] = winner({name: epochs[name] for name in keys}, {name: epochs[name] for name in noisy.get(work, {})})
        return found

    def _comparable(self, keys: Mapping[str, Key]) -> Mapping[str, Sample]:
        """Return the epochs of trainers in seconds, or in seconds per example if their numbers of examples differ."""
        epochs = {trainer: self.times.epochs[key] for trainer, key in keys.items()}
        if len({job.examples for _, job, _ in keys.values()}) == 1:
            return epochs
        return {name: Sample([run / keys[name][1].examples for run in sample.runs]) for name, sample in epochs.items()}


def sides(answer: Comparison) -> Iterator[Side]:
    """Yield the machines of a comparison, fastest first; of a single machine, its configurations."""
    times = answer.timings
    if len(answer.ranking) < 2:
        for configuration in times.configurations:
            keys = {(key[1], key[2]): key for key in times.epochs if key[0] is configuration}
            speedups = {
                (job, trainer): cell.speedup
                for (job, trainer, of), cell in answer.cells.items()
                if of is configuration and cell.speedup and not {(of, job, trainer), (answer.baseline, job, trainer)} & times.noisy
            }
            yield Side(configuration.label, times, keys, speedups)
        return
    shown = with_disturbed(times, chosen(times))
    for one in answer.ranking:
        keys = {case: machines[one.machine] for case, machines in shown.items() if one.machine in machines}
        yield Side(one.machine, times, keys, {(case.work, case.trainer): case.ratio for case in one.cases})


def works(answer: Comparison) -> list[JobKey]:
    """Return what was computed: the jobs, without their numbers of examples if there are several machines."""
    several = len(answer.ranking) > 1
    return list(dict.fromkeys(same_work(job) if several else job for job in answer.timings.jobs))
