"""Timed rounds by configuration, job and trainer. Runs of one configuration are pooled if they agree."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench import records
from bench.analysis import noise
from bench.analysis.noise import Disturbance
from bench.machine.accelerators import ACCELERATOR, accelerator_of
from bench.stats import intervals
from bench.stats.intervals import Sample
from bench.text.numbers import counted
from bench.workload import grid_width
from impls import TRAINERS

if TYPE_CHECKING:
    import pandas as pd

BASELINE = "loop"  # the trainer to compare the others with

# On a shared machine, one in ten pairs of runs of unchanged code differs by 5 %.
RUN_TO_RUN_TOLERANCE = 1.05
_FAR = 1.5  # ratio of two medians that no interval explains
_MOST_GROUPS = 20  # the maximum number of groups to compare a run with; a machine with more is too irregular to pool

_RUN_COLUMNS = ("machine", "threads", "ranks", "run_id")

RoundSeconds = npt.NDArray[np.float64]  # (rounds,) seconds of one run, in order


class JobKey(NamedTuple):
    """The columns of `records.JOB`. Epochs are comparable if all of them are equal."""

    workload: str
    dataset: str
    layers: str
    batch_size: int
    learning_rate: float
    dtype: str
    examples: int
    seed: int

    @property
    def title(self) -> str:
        """The job on one line."""
        return self.titled([self.examples])

    def titled(self, amounts: Sequence[int]) -> str:
        """Return the job on one line, with these numbers of examples."""
        shape = f"{self.workload}: {self.layers}, batch {self.batch_size}, learning rate {self.learning_rate:g}"
        return f"{shape}, {' or '.join(f'{examples:,}' for examples in amounts)} examples, {self.kind}"

    @property
    def kind(self) -> str:
        """The fields that all cells of a grid share: the dtype, and the dataset and the seed if they are not the default."""
        dataset = "" if self.dataset == "mnist" else self.dataset
        seed = f"seed {self.seed}" if self.seed else ""
        return ", ".join(filter(None, (self.dtype, dataset, seed)))

    @property
    def width(self) -> int | None:
        """The number of hidden units of a grid cell; None for a named workload."""
        return grid_width(self.workload)


@dataclass(frozen=True, eq=False)  # each is created once, so comparing identities is enough, and fast
class Configuration:
    """A machine with a number of threads and ranks, and a group of its runs that agree."""

    label: str
    machine: str
    threads: int
    ranks: int
    runs: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Timings:
    """All timed rounds: a sample of the seconds of each run, for every configuration, job and trainer.

    A sample leaves out disturbed runs, if there is an undisturbed one.
    configurations  in the order of the rows
    rows            the first row of every sample, by column: everything known except for the seconds
    """

    configurations: tuple[Configuration, ...]
    epochs: Mapping[tuple[Configuration, JobKey, str], Sample]
    rows: Mapping[tuple[Configuration, JobKey, str], Mapping[Any, Any]]
    facts: Mapping[
        tuple[Configuration, str], tuple[str, ...]
    ]  # values of `records.HARDWARE` and FACTS, of "library of TRAINER" and "device of TRAINER"
    disturbed: Sequence[Disturbance]
    noisy: frozenset[tuple[Configuration, JobKey, str]]  # cases without an undisturbed run; charts and tables mark them

    @cached_property
    def jobs(self) -> list[JobKey]:
        """All jobs: named workloads first, then the grid by width and batch size."""
        return sorted(self._by_job, key=lambda job: (job.width or 0, job.batch_size if job.width else 0))

    @cached_property
    def _by_job(self) -> dict[JobKey, dict[Configuration, dict[str, Sample]]]:
        by_job: dict[JobKey, dict[Configuration, dict[str, Sample]]] = {}
        for (configuration, job, trainer), epochs in self.epochs.items():
            by_job.setdefault(job, {}).setdefault(configuration, {})[trainer] = epochs
        return by_job

    def of(self, job: JobKey) -> dict[Configuration, dict[str, Sample]]:
        """Return the timings of a job: configuration -> trainer -> epochs."""
        return self._by_job[job]

    def without(self, left_out: Collection[Configuration]) -> Timings:
        """Return the timings of the other configurations."""
        kept = tuple(configuration for configuration in self.configurations if configuration not in left_out)
        return replace(self, configurations=kept, epochs={key: epochs for key, epochs in self.epochs.items() if key[0] in kept})

    def only(self, job: JobKey) -> Timings:
        """Return the timings of one job, and the configurations that ran it."""
        timed = tuple(configuration for configuration in self.configurations if configuration in self.of(job))
        return replace(self, configurations=timed, epochs={key: epochs for key, epochs in self.epochs.items() if key[1] == job})

    def calm(self, job: JobKey, configuration: Configuration) -> dict[str, Sample]:
        """Return trainer -> epochs of a job on a configuration, without noisy cases. Sentences and crossings use only these."""
        timed = self.of(job).get(configuration, {})
        return {trainer: epochs for trainer, epochs in timed.items() if (configuration, job, trainer) not in self.noisy}

    def trainers(self, job: JobKey | None = None) -> list[str]:
        """Return the trainers with timed rounds of the job (None: of any job), in ladder order."""
        jobs = self._by_job if job is None else [job]
        return ladder(trainer for job in jobs for timed in self.of(job).values() for trainer in timed)


def ladder(names: Iterable[str]) -> list[str]:
    """Return the distinct names: those in TRAINERS first, in that order, then the others in their own order."""
    present = list(dict.fromkeys(names))
    return [name for name in TRAINERS if name in present] + [name for name in present if name not in TRAINERS]


def timings(table: pd.DataFrame) -> Timings:
    """Return the timings in a table from `records.read`. Duplicate rounds count once."""
    rows = table[table["kind"] == "timing"]
    keys = [*_RUN_COLUMNS, *records.JOB, "trainer"]
    rows = rows.drop_duplicates([*keys, "round", "seconds"])
    measured: dict[tuple[str, int, int], dict[str, dict[tuple[JobKey, str], RoundSeconds]]] = {}
    for key, seconds in grouped(rows, keys):
        machine, threads, ranks, run_id, *job, trainer = key
        by_run = measured.setdefault((machine, threads, ranks), {})
        by_run.setdefault(run_id, {})[JobKey(*job), trainer] = seconds

    configurations: list[Configuration] = []
    disturbed = noise.detect(rows)
    noisy_runs = {(one.run_id, one.workload, one.trainer, one.ranks) for one in disturbed}
    runs: dict[tuple[Configuration, JobKey, str], list[RoundSeconds]] = {}
    calm: dict[tuple[Configuration, JobKey, str], list[RoundSeconds]] = {}
    for (machine, threads, ranks), by_run in measured.items():
        groups = _agreeing(by_run)
        for group in groups:
            label = machine
            if sum(other == machine for other, _, _ in measured) > 1:
                label += f", {counted(threads, 'thread')}" + (f", {counted(ranks, 'rank')}" if ranks > 1 else "")
            if len(groups) > 1:
                label += f", {f'run {group[0]}' if len(group) == 1 else f'{len(group)} runs from {group[0]}'}"
            configuration = Configuration(label, machine, threads, ranks, tuple(group))
            configurations.append(configuration)
            for run_id in group:
                for (timed, trainer), seconds in by_run[run_id].items():
                    runs.setdefault((configuration, timed, trainer), []).append(seconds)
                    if (run_id, timed.workload, trainer, ranks) not in noisy_runs:
                        calm.setdefault((configuration, timed, trainer), []).append(seconds)
    of = {
        (configuration.machine, configuration.threads, configuration.ranks, run): configuration
        for configuration in configurations
        for run in configuration.runs
    }
    first: dict[tuple[Configuration, JobKey, str], Mapping[Any, Any]] = {}
    for row in rows.drop_duplicates(keys).to_dict("records"):
        whose = of[tuple(row[name] for name in _RUN_COLUMNS)]
        first.setdefault((whose, JobKey(*(row[name] for name in records.JOB)), row["trainer"]), row)
    samples = {key: Sample(calm.get(key, epochs)) for key, epochs in runs.items()}
    return Timings(tuple(configurations), samples, first, _facts(rows, of), disturbed, frozenset(runs.keys() - calm.keys()))


def grouped(rows: pd.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], RoundSeconds]]:
    """Yield every combination of the keys' values with its seconds, both in the order of the rows."""
    if rows.empty:
        return
    codes = rows.groupby(keys, sort=False).ngroup().to_numpy()
    order = codes.argsort(kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    named = rows[keys].iloc[order[starts]].itertuples(index=False, name=None)
    yield from zip(named, np.split(rows["seconds"].to_numpy()[order], starts[1:]), strict=True)


def _agreeing(by_run: Mapping[str, Mapping[tuple[JobKey, str], RoundSeconds]]) -> list[list[str]]:
    """Return the runs in groups that agree. A run joins the first group that it agrees with.

    For every trainer and every job that both timed, take the ratio of the run's epoch to the first epoch in the group.
    The run agrees if for every trainer the median ratio is within RUN_TO_RUN_TOLERANCE, or the intervals of all its ratios contain 1.
    A run without a common job agrees.
    """
    groups: list[list[str]] = []
    known: list[dict[tuple[JobKey, str], RoundSeconds]] = []
    for run_id, epochs in sorted(by_run.items()):
        for group, firsts in islice(zip(groups, known, strict=True), _MOST_GROUPS):
            if agree(epochs, firsts):
                group.append(run_id)
                firsts.update({key: seconds for key, seconds in epochs.items() if key not in firsts})
                break
        else:
            groups.append([run_id])
            known.append(dict(epochs))
    return groups


def agree(epochs: Mapping[tuple[JobKey, str], RoundSeconds], others: Mapping[tuple[JobKey, str], RoundSeconds]) -> bool:
    """Return whether two runs agree, as `_agreeing` describes."""
    shared: dict[str, list[tuple[RoundSeconds, RoundSeconds]]] = {}
    for key, seconds in epochs.items():
        if key in others:
            shared.setdefault(key[1], []).append((seconds, others[key]))
    for pairs in shared.values():
        typical = np.median([math.log(intervals.middle(np.sort(one)) / intervals.middle(np.sort(other))) for one, other in pairs])
        if abs(typical) > math.log(RUN_TO_RUN_TOLERANCE) and not all(_level(*pair) for pair in pairs):
            return False
    return True


def _level(one: RoundSeconds, other: RoundSeconds) -> bool:
    """Return whether the interval of the ratio of the two medians contains 1."""
    if _FAR * one.max() < other.min() or _FAR * other.max() < one.min():  # ranges so far apart need no draws
        return False
    _, low, high = intervals.ratio(one, other)
    return low <= 1 <= high


def _facts(rows: pd.DataFrame, of: Mapping[tuple[Any, ...], Configuration]) -> dict[tuple[Configuration, str], tuple[str, ...]]:
    facts: dict[tuple[Configuration, str], dict[str, None]] = {}
    for *key, trainer, library in rows[[*_RUN_COLUMNS, "trainer", "library"]].drop_duplicates().itertuples(index=False):
        facts.setdefault((of[tuple(key)], f"library of {trainer}"), {})[library] = None
    for row in rows[[*_RUN_COLUMNS, "trainer", *ACCELERATOR]].drop_duplicates().to_dict("records"):
        if found := accelerator_of(row):
            facts.setdefault((of[tuple(row[name] for name in _RUN_COLUMNS)], f"device of {row['trainer']}"), {})[str(found)] = None
    names = (*records.HARDWARE, *records.FACTS)
    for machine, threads, ranks, run, *values in rows[[*_RUN_COLUMNS, *names]].drop_duplicates().itertuples(index=False):
        configuration = of[machine, threads, ranks, run]
        for fact, value in zip(names, values, strict=True):
            if value == "" and fact in records.LATER:
                continue
            shown = ("yes" if value else "no") if fact == "dirty" else str(value)
            facts.setdefault((configuration, fact), {})[shown] = None
    return {key: tuple(values) for key, values in facts.items()}
