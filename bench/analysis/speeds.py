"""Speed of machines relative to each other, on the cases that several of them ran.

A case is a trainer on a workload. A machine is timed at its fastest numbers of threads and ranks. Disturbed cases are left out. If the
numbers of examples differ, the examples per second are compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.analysis.timings import Configuration, JobKey, Timings
from bench.stats import intervals
from bench.stats.intervals import Interval

Key = tuple[Configuration, JobKey, str]  # of Timings.epochs
Case = tuple[JobKey, str]  # (work, trainer), where work is a job without its number of examples
Chosen = Mapping[Case, Mapping[str, Key]]  # case -> machine -> the epochs to compare


def same_work(job: JobKey) -> JobKey:
    """Return the job without its number of examples. Jobs of the same work are compared by examples per second."""
    return job._replace(examples=0)


def speedup(times: Timings, key: Key, base: Key) -> Interval:
    """Return the speedup of epochs over others of the same work: the ratio of their examples per second."""
    rate = key[1].examples / base[1].examples
    return Interval(*(rate * end for end in times.epochs[base].over(times.epochs[key])))


def chosen(times: Timings) -> dict[Case, dict[str, Key]]:
    """Return the undisturbed epochs of each machine in each case.

    If a machine trained on several numbers of examples, the number that the most machines ran is taken, or else its largest.
    """
    choice = {}
    for case, machines in _fastest(times, disturbed=False).items():
        counts = Counter(examples for keys in machines.values() for examples in keys)
        most = max((number, examples) for examples, number in counts.items())[1]
        choice[case] = {machine: keys.get(most) or keys[max(keys)] for machine, keys in machines.items()}
    return choice


def with_disturbed(times: Timings, calm: Chosen) -> dict[Case, dict[str, Key]]:
    """Return the chosen epochs, and the disturbed ones of the machines that have no others in a case. calm: as `chosen` returns them"""
    noisy = _fastest(times, disturbed=True)
    every: dict[Case, dict[str, Key]] = {}
    for case in dict.fromkeys((same_work(job), trainer) for job in times.jobs for trainer in times.trainers(job)):
        known = dict(calm.get(case, {}))
        amounts = {key[1].examples for key in known.values()}
        others = {machine: keys for machine, keys in noisy.get(case, {}).items() if machine not in known}
        every[case] = known | {machine: keys[max(amounts & keys.keys() or keys)] for machine, keys in others.items()}
    return every


def _fastest(times: Timings, *, disturbed: bool) -> dict[Case, dict[str, dict[int, Key]]]:
    """Return the fastest epochs of each machine, over its numbers of threads and ranks: case -> machine -> number of examples -> key.

    If runs disagree, the newest counts.
    """
    newest: dict[tuple[Any, ...], Key] = {}
    for key in sorted(times.epochs, key=lambda key: key[0].runs[-1]):  # a run's name begins with its time
        if (key in times.noisy) == disturbed:
            configuration, job, trainer = key
            newest[configuration.machine, configuration.threads, configuration.ranks, job, trainer] = key
    found: dict[Case, dict[str, dict[int, Key]]] = {}
    for key in sorted(newest.values(), key=lambda key: times.epochs[key].value):
        configuration, job, trainer = key
        machines = found.setdefault((same_work(job), trainer), {})
        machines.setdefault(configuration.machine, {}).setdefault(job.examples, key)
    return found


@dataclass(frozen=True)
class CaseRatio:
    """Speed of a machine relative to another on one case. by_rate: whether their numbers of examples differ"""

    work: JobKey
    trainer: str
    ratio: Interval
    by_rate: bool


@dataclass(frozen=True)
class MachineRatio:
    """Speed of a machine relative to a base.

    ratio   of the speeds that `Speeds` fits; None if no chain of common cases connects the two
    cases   those that both ran
    common  number of the machine's cases that another machine ran, too
    """

    machine: str
    base: str
    ratio: Interval | None
    cases: tuple[CaseRatio, ...]
    common: int


class Speeds:
    """A speed for each machine, fitted to the cases that two or more machines ran, as a factor of each machine times one of each case.

    Least squares of logarithms: between two machines, the ratio is the geometric mean of the ratios on their common cases. The result does
    not depend on which machine the others are compared with. The interval contains the uncertainty of the measurements, not that of
    other cases. All cases of a machine are taken to err alike, because they were timed by one process, so it is rather too wide.
    """

    def __init__(self, times: Timings) -> None:
        self._times = times
        self.chosen = chosen(times)
        self.machines = list(dict.fromkeys(configuration.machine for configuration in times.configurations))

    @property
    def devices(self) -> set[str]:
        """The devices of the cases that two or more machines ran: "cpu", "gpu", or both."""
        return {str(self._times.rows[key]["device"]) for keys in self.chosen.values() if len(keys) > 1 for key in keys.values()}

    def over(self, machine: str, base: str) -> Interval | None:
        """Return the ratio of two machines' speeds; None if no chain of common cases connects them."""
        if machine == base:
            return Interval(1, 1, 1)
        if self._groups[machine] != self._groups[base]:
            return None
        one, other = self.machines.index(machine), self.machines.index(base)
        value, draws = self._fitted
        return intervals.between(math.exp(value[one] - value[other]), np.exp(draws[one] - draws[other]))

    def compared(self, machine: str, base: str) -> MachineRatio:
        """Return the speed of a machine relative to another."""
        common = sum(machine in keys and len(keys) > 1 for keys in self.chosen.values())
        return MachineRatio(machine, base, self.over(machine, base), tuple(self._cases(machine, base)), common)

    def ranking(self, base: str) -> list[MachineRatio]:
        """Return the speed of each machine relative to the base, fastest first; at the end, the machines that are not connected to it."""
        found = [self.compared(machine, base) for machine in self.machines]
        return sorted(found, key=lambda one: -one.ratio.value if one.ratio else 0)

    def base(self, wanted: str) -> str:
        """Return the wanted machine if it can be compared with another, else the machine with the most common cases, if there is one."""
        common = {machine: self.compared(machine, machine).common for machine in self.machines}
        return wanted if common.get(wanted) or not any(common.values()) else max(common, key=common.__getitem__)

    def _cases(self, machine: str, base: str) -> Iterator[CaseRatio]:
        for (work, trainer), keys in self.chosen.items():
            if machine != base and machine in keys and base in keys:
                by_rate = keys[machine][1].examples != keys[base][1].examples
                yield CaseRatio(work, trainer, speedup(self._times, keys[machine], keys[base]), by_rate)

    @cached_property
    def _groups(self) -> dict[str, int]:
        """The number of each machine's group. Machines of one group are connected by common cases."""
        groups = {machine: number for number, machine in enumerate(self.machines)}
        for keys in self.chosen.values():
            numbers = {groups[machine] for machine in keys}
            groups = {machine: min(numbers) if number in numbers else number for machine, number in groups.items()}
        return groups

    @cached_property
    def _fitted(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The logarithm of each machine's speed, (machines,), and draws of it, (machines, draws), up to a constant of each group."""
        shared = [keys for keys in self.chosen.values() if len(keys) > 1]
        normal = np.zeros((len(self.machines), len(self.machines)))
        value, draws = np.zeros(len(self.machines)), np.zeros((len(self.machines), intervals.DRAWS))
        for keys in shared:
            ran = [self.machines.index(machine) for machine in keys]
            samples = [self._times.epochs[key] for key in keys.values()]
            rates = np.log([key[1].examples for key in keys.values()])
            centred = np.eye(len(ran)) - 1 / len(ran)  # removes the factor of the case
            normal[np.ix_(ran, ran)] += centred
            value[ran] += centred @ (rates - np.log([sample.value for sample in samples]))
            drawn = [np.log(sample.draws(seed=machine)) for machine, sample in zip(ran, samples, strict=True)]
            draws[ran] += centred @ (rates[:, np.newaxis] - np.array(drawn))
        inverse = np.linalg.pinv(normal)  # singular: one constant of each group is free
        return inverse @ value, inverse @ draws
