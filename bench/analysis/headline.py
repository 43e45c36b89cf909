"""Answer to a comparison in one sentence: how much faster a machine is than another, or what a machine gains from matrices.

Machines are compared on the cases that both ran, a case being a trainer on a workload. A machine is timed at its fastest numbers of threads
and ranks. Disturbed cases are left out. If two machines trained on different numbers of examples, their examples per second are compared.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.analysis.crossovers import Crossing
from bench.analysis.timings import BASELINE, Configuration, JobKey, Timings
from bench.analysis.winners import winner
from bench.stats import intervals
from bench.stats.intervals import Interval, Sample
from bench.text.lists import listed
from bench.text.numbers import counted, digits, duration

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison

_STEP = "matrix"  # the trainer that shows what matrices gain
_LISTED = 3  # exceptions to name

Key = tuple[Configuration, JobKey, str]  # of Timings.epochs
FastestKeys = Mapping[tuple[JobKey, str], Mapping[str, Mapping[int, Key]]]  # (work, trainer) -> machine -> number of examples


@dataclass(frozen=True)
class CaseRatio:
    """Speed of a machine relative to another on one case.

    work     the job without its number of examples
    by_rate  whether the speeds are examples per second, because the numbers of examples differ
    """

    work: JobKey
    trainer: str
    ratio: Interval
    by_rate: bool

    def __str__(self) -> str:
        return f"{self.trainer} on {self.work.workload}"


@dataclass(frozen=True)
class MachineRatio:
    """Speed of a machine relative to a base.

    ratio  the geometric mean over the cases; its interval contains the uncertainty of the measurements, not that of other cases. None if
           the two have no case in common
    cases  those that both ran, undisturbed
    """

    machine: str
    base: str
    ratio: Interval | None
    cases: tuple[CaseRatio, ...]


def same_work(job: JobKey) -> JobKey:
    """Return the job without its number of examples. Jobs of the same work are compared by examples per second."""
    return job._replace(examples=0)


def speeds(times: Timings, base: str, *, job: JobKey | None = None) -> list[MachineRatio]:
    """Return the speed of each machine relative to the base, fastest first; at the end, the machines without a common case.

    job: only the cases of this workload
    """
    cases = fastest_keys(times, job, only_calm=True)
    machines = dict.fromkeys(configuration.machine for configuration in times.configurations)
    if job is not None:
        machines = dict.fromkeys(machine for keys in cases.values() for machine in keys)
    found = [_ratio(times, cases, machine, base) for machine in machines]
    return sorted(found, key=lambda one: -one.ratio.value if one.ratio else 0)


def sentences(answer: Comparison, *, job: JobKey | None = None, machine: str | None = None) -> list[str]:
    """Return the answer in one sentence, and the sentences that limit it.

    job, machine: what the reader chose; None: all. Returns no sentence if every case of the choice was disturbed.
    """
    times = answer.timings
    machines = dict.fromkeys(machine for keys in fastest_keys(times, job, only_calm=True).values() for machine in keys)
    if machine is not None or len(machines) < 2:
        return list(_alone(answer, job, machine or next(iter(machines), None)))
    base = answer.baseline.machine if answer.baseline.machine in machines else next(iter(machines))
    return [*_several(speeds(times, base, job=job), times, job), *_shortest(times, job or _most_timed(times), len(machines))]


def fastest_keys(times: Timings, job: JobKey | None = None, *, only_calm: bool) -> FastestKeys:
    """Return the fastest epochs of each machine, over its numbers of threads and ranks, for each case and number of examples.

    job: only the cases of this workload; only_calm: leave out disturbed cases, which otherwise count only if there is no other
    """
    found: defaultdict[tuple[JobKey, str], defaultdict[str, dict[int, Key]]] = defaultdict(lambda: defaultdict(dict))
    for key in sorted(times.epochs, key=lambda key: (key in times.noisy, times.epochs[key].value)):
        configuration, one, trainer = key
        if (job is None or same_work(one) == same_work(job)) and not (only_calm and key in times.noisy):
            found[same_work(one), trainer][configuration.machine].setdefault(one.examples, key)
    return found


def _ratio(times: Timings, cases: FastestKeys, machine: str, base: str) -> MachineRatio:
    if machine == base:
        return MachineRatio(machine, base, Interval(1, 1, 1), ())
    found, values, draws = [], [], []
    for (work, trainer), keys in cases.items():
        if machine in keys and base in keys:
            common = keys[machine].keys() & keys[base].keys()
            n, m = (max(common),) * 2 if common else (max(keys[machine]), max(keys[base]))
            mine, other = times.epochs[keys[machine][n]], times.epochs[keys[base][m]]
            values.append(math.log(n / m * other.value / mine.value))
            draws.append(math.log(n / m) + np.log(other.draws(seed=0) / mine.draws(seed=1)))
            found.append(CaseRatio(work, trainer, intervals.between(math.exp(values[-1]), np.exp(draws[-1])), not common))
    mean = intervals.between(float(np.exp(np.mean(values))), np.exp(np.mean(draws, axis=0))) if found else None
    return MachineRatio(machine, base, mean, tuple(found))


def _several(ranking: Sequence[MachineRatio], times: Timings, job: JobKey | None) -> Iterator[str]:
    """Yield the answer for two or more machines: the fastest against the base, or the base against the next."""
    base = ranking[0].base
    compared = [one for one in ranking if one.ratio and one.machine != base]
    if not compared:
        yield f"{listed([one.machine for one in ranking])} have no case in common, so they cannot be compared."
        return
    first = compared[0]
    assert first.ratio
    ahead = first if first.ratio.value >= 1 else _turned(first)
    assert ahead.ratio
    where = _where(ahead.cases, job)
    if len(ranking) > 2:
        beginning = f"By the same trainers, {ahead.machine} is the fastest of {len(ranking)} machines:"
        yield f"{beginning} {_times(ahead.ratio)} times as fast as {ahead.base} on {where}."
    elif ahead.ratio.low > 1:
        yield f"{ahead.machine} is {_times(ahead.ratio)} times as fast as {ahead.base} on {where}."
    else:
        yield f"{ahead.machine} and {ahead.base} are tied: the ratio of their speeds is {_times(ahead.ratio)} on {where}."
        yield from _exceptions(_turned(ahead), "")
    yield from _exceptions(ahead, "But " if ahead.ratio.low > 1 else "")
    by_rate = sum(case.by_rate for case in ahead.cases)
    if by_rate:
        these = "All" if by_rate == len(ahead.cases) else f"{by_rate} of them"
        yield f"{these} are compared by examples per second, because the machines trained on different numbers of examples."
    apart = [one.machine for one in ranking if not one.ratio]
    if apart:
        yield f"{listed(apart)} {'has' if len(apart) == 1 else 'have'} no undisturbed case in common with {base}."
    noisy = {(key[1], key[2]) for key in times.noisy if job is None or same_work(key[1]) == same_work(job)}
    if noisy:
        yield f"{counted(len(noisy), 'disturbed case')} {'is' if len(noisy) == 1 else 'are'} left out."


def _most_timed(times: Timings) -> JobKey:
    """Return the job with the most trainers on the most machines; a named workload, if there is one."""
    return max(times.jobs, key=lambda job: (job.width is None, sum(map(len, times.of(job).values()))))


def _shortest(times: Timings, job: JobKey, machines: int) -> Iterator[str]:
    """Yield which trainer has the shortest epoch of a job, also if not every machine ran that trainer."""
    found = {
        key: times.epochs[key].value / key[1].examples
        for (_, trainer), by_machine in fastest_keys(times, job, only_calm=True).items()
        for by_examples in by_machine.values()
        for key in by_examples.values()
    }
    if found:
        where, of, trainer = min(found, key=found.__getitem__)
        ran = sum(len(by_machine) for (_, name), by_machine in fastest_keys(times, job, only_calm=True).items() if name == trainer)
        epoch = duration(times.epochs[where, of, trainer].value)
        others = "" if ran == machines else f", which {ran} of the {machines} machines ran"
        yield f"The shortest epoch of {of.workload} takes {epoch}: on {where.machine} with {trainer}{others}."


def _exceptions(ahead: MachineRatio, beginning: str) -> Iterator[str]:
    """Yield where the base is the faster one."""
    found = sorted((case for case in ahead.cases if case.ratio.high < 1), key=lambda case: case.ratio.value)
    if found:
        named = [f"{case} ({digits(1 / case.ratio.value)}x)" for case in found[:_LISTED]]
        if len(found) > _LISTED:
            named.append(f"{len(found) - _LISTED} more")
        yield f"{beginning}{ahead.base} is faster on {len(found)} of them: {listed(named)}."


def _alone(answer: Comparison, job: JobKey | None, machine: str | None) -> Iterator[str]:
    """Yield the answer for one machine: what matrices and the fastest trainer gain over the loop, and where the fastest changes."""
    times = answer.timings
    choices = [
        (one, configuration, calm)
        for one in times.jobs
        for configuration in times.of(one)
        if configuration.machine == machine and job in (None, one) and (calm := times.calm(one, configuration))
    ]
    if not choices:
        return
    # The first workload with a loop to compare with; of its configurations, the one with the most trainers.
    one, configuration, calm = max(choices, key=lambda choice: (BASELINE in choice[2] and len(choice[2]) > 1, len(choice[2])))
    if job is None:
        workload = next((c[0] for c in choices if BASELINE in c[2] and len(c[2]) > 1), one)
        one, configuration, calm = max((c for c in choices if c[0] == workload), key=lambda choice: len(choice[2]))
    several = sum(other.machine == machine for other in times.configurations) > 1
    yield _gains(one.workload + (f" with {counted(configuration.threads, 'thread')}" if several else ""), calm)
    crossed = [c for c in answer.crossings if c.wins and c.configuration.machine == machine and (job is None or job.kind == c.kind)]
    if crossed:
        yield _crossing(next((c for c in crossed if c.axis == "batch_size"), crossed[0]))


def _gains(where: str, timed: Mapping[str, Sample]) -> str:
    won = winner(timed)
    over = {name: f"{_times(timed[BASELINE].over(epochs))} times" for name, epochs in timed.items()} if BASELINE in timed else {}
    first = won.trainer
    if won.ahead is None:
        return f"On {where}, {first} takes {duration(timed[first].value)} per epoch."
    leaders = f"{listed([first, *won.level])} are tied as the fastest" if won.level else f"{first} is the fastest"
    if not over or first == BASELINE:
        return f"On {where}, {leaders}" + (f": {_times(won.ahead)} times as fast as {won.second}." if not won.level else ".")
    if _STEP not in timed or first == _STEP:
        return f"On {where}, {leaders}: {over[first]} as fast as {BASELINE}."
    return f"On {where}, {_STEP} is {over[_STEP]} as fast as {BASELINE}, and {leaders}: {over[first]}."


def _crossing(at: Crossing) -> str:
    moving, fixed = ("mini-batch size", f"{at.fixed:,} hidden units") if at.axis == "batch_size" else (
        "number of hidden units", f"mini-batches of {at.fixed:,}")  # fmt: skip
    return f"On the grid with {fixed}, {at.ahead} overtakes {at.behind} at a {moving} {at.about}."


def _turned(one: MachineRatio) -> MachineRatio:
    """Return the same comparison with the machines exchanged."""
    cases = tuple(CaseRatio(case.work, case.trainer, _inverse(case.ratio), case.by_rate) for case in one.cases)
    return MachineRatio(one.base, one.machine, _inverse(one.ratio) if one.ratio else None, cases)


def _inverse(ratio: Interval) -> Interval:
    return Interval(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)


def _where(cases: Sequence[CaseRatio], job: JobKey | None) -> str:
    if len(cases) == 1:
        return f"the one case that both ran, {cases[0]}"
    return f"the {len(cases)} trainers that both ran on {job.workload}" if job else f"the {len(cases)} cases that both ran"


def _times(ratio: Interval) -> str:
    return f"{digits(ratio.value)} ({digits(ratio.low)} to {digits(ratio.high)})"
