"""Answer to a comparison in one sentence: how much faster a machine is than another, or what a machine gains from matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.analysis.crossovers import Crossing
from bench.analysis.speeds import CaseRatio, Chosen, Key, MachineRatio, Speeds, chosen, with_disturbed
from bench.analysis.timings import BASELINE, JobKey, Timings
from bench.analysis.winners import winner
from bench.stats.intervals import Interval, Sample
from bench.text.lists import listed
from bench.text.numbers import counted, digits, duration

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison

_STEP = "matrix"  # the trainer that shows what matrices gain
_MOST = 3  # exceptions to name


def sentences(answer: Comparison, *, job: JobKey | None = None, machine: str | None = None) -> list[str]:
    """Return the answer in one sentence, and the sentences that limit it.

    job, machine: what the reader chose; None: all. Returns no sentence if every case of the choice was disturbed.
    """
    times = answer.timings.only(job) if job else answer.timings
    machines = list(dict.fromkeys(one.machine for one in times.configurations))
    if machine is not None or len(machines) == 1:
        return list(_alone(times, answer.crossings, machine or machines[0]))
    speeds = Speeds(times)
    every = with_disturbed(times, speeds.chosen)
    return [*_several(times, speeds, job), *_left_out(speeds.chosen, every), *_shortest(times, speeds.chosen, every)]


def _several(times: Timings, speeds: Speeds, job: JobKey | None) -> Iterator[str]:
    """Yield the answer for two or more machines: the fastest against the next."""
    ranking = speeds.ranking(speeds.base(speeds.machines[0]))
    compared = [one.machine for one in ranking if one.ratio]
    if len(compared) < 2:
        machines = listed(speeds.machines) if len(ranking) == 2 else f"The {len(ranking)} machines"
        yield f"{machines} have no undisturbed case in common, so they cannot be compared."
        return
    first = speeds.compared(*compared[:2])
    assert first.ratio
    tied = first.ratio.low <= 1
    ratio = f"the ratio of their speeds is {_times(first.ratio)}" if tied else f"{_times(first.ratio)} times as fast as"
    if len(compared) > 2:
        leaders = f"{listed(compared[:2])} are tied as the fastest" if tied else f"{first.machine} is the fastest"
        where = "With the same trainers on the CPU" if speeds.devices == {"cpu"} else "With the same trainers"
        yield f"{where}, {leaders} of {len(compared)} machines: {ratio}{'' if tied else f' the next, {first.base}'}."
    elif tied:
        yield f"{listed(compared)} are tied: {ratio} on {_where(first.cases, job)}."
    else:
        yield f"{first.machine} is {ratio} {first.base} on {_where(first.cases, job)}."
    several_kinds = len({one.kind for one in times.jobs}) > 1
    if tied:
        yield from _exceptions(speeds.compared(first.base, first.machine), "", several_kinds=several_kinds)
    yield from _exceptions(first, "" if tied else "But ", several_kinds=several_kinds)
    by_rate = sum(case.by_rate for case in first.cases)
    if by_rate:
        these = f"{by_rate} of the {len(first.cases)} cases" if len(first.cases) > 1 else "The case"
        verb = "is" if by_rate == 1 else "are"
        yield f"{these} {verb} compared by examples per second, because the machines trained on different numbers of examples."
    apart = [one.machine for one in ranking if not one.ratio]
    if apart:
        yield f"{listed(apart)} {'has' if len(apart) == 1 else 'have'} no undisturbed case in common with them."


def _exceptions(ahead: MachineRatio, beginning: str, *, several_kinds: bool) -> Iterator[str]:
    """Yield where the base is the faster one."""
    found = sorted((case for case in ahead.cases if case.ratio.high < 1), key=lambda case: case.ratio.value)
    if found:
        named = [f"{_case(case, several_kinds=several_kinds)} ({digits(1 / case.ratio.value)}x)" for case in found[:_MOST]]
        if len(found) > _MOST:
            named.append(f"{len(found) - _MOST} more")
        cases = f"{len(found)} of the {len(ahead.cases)} cases" if len(ahead.cases) > 1 else "the case"
        yield f"{beginning}{ahead.base} is faster on {cases}: {listed(named)}."


def _left_out(calm: Chosen, every: Chosen) -> Iterator[str]:
    """Yield how many cases of a machine were disturbed in every run. calm, every: the epochs without and with the disturbed ones"""
    number = sum(len(keys.keys() - calm.get(case, {}).keys()) for case, keys in every.items())
    if number:
        yield f"{counted(number, 'disturbed case')} {'is' if number == 1 else 'are'} left out."


def _shortest(times: Timings, calm: Chosen, every: Chosen) -> Iterator[str]:
    """Yield which trainer has the shortest epoch of a workload, also if not every machine ran that trainer."""
    works = dict.fromkeys(work for work, _ in calm)
    if not works:
        return
    # The workload that most machines ran with most trainers; a named one, if there is one.
    work = max(works, key=lambda work: (work.width is None, sum(len(keys) for case, keys in calm.items() if case[0] == work)))
    keys = [key for case, by_machine in calm.items() if case[0] == work for key in by_machine.values()]
    machines = {key[0].machine for key in keys}
    where, of, trainer = fastest = min(keys, key=lambda key: times.epochs[key].value / key[1].examples)
    ran = len(every[work, trainer])
    amount = f", of {of.examples:,} examples," if len({key[1].examples for key in keys}) > 1 else ""
    others = "" if ran == len(machines) else f", which {ran} of the {len(machines)} machines ran"
    epoch = duration(times.epochs[fastest].value)
    yield f"The shortest epoch of {work.workload}{amount} takes {epoch}: on {where.machine} with {trainer}{others}."


def _alone(times: Timings, crossings: Sequence[Crossing], machine: str) -> Iterator[str]:
    """Yield the answer for one machine: what matrices and the fastest trainer gain over the loop, and where the fastest changes."""
    mine = times.without({one for one in times.configurations if one.machine != machine})
    by_job = {job: {trainer: keys[machine] for (_, trainer), keys in chosen(mine.only(job)).items()} for job in mine.jobs}
    with_loop = [job for job, keys in by_job.items() if BASELINE in keys and len(keys) > 1]
    best = with_loop[0] if with_loop else max(by_job, key=lambda job: len(by_job[job]), default=None)
    if best is None or not by_job[best]:
        return
    every = with_disturbed(mine.only(best), chosen(mine.only(best)))
    disturbed = {trainer: times.epochs[keys[machine]] for (_, trainer), keys in every.items() if keys[machine] in times.noisy}
    yield _gains(times, machine, best, by_job[best], disturbed)
    kinds = {job.kind for job in times.jobs}
    crossed = [c for c in crossings if c.wins and c.configuration.machine == machine and c.kind in kinds]
    if crossed:
        yield _crossing(next((c for c in crossed if c.axis == "batch_size"), crossed[0]))


def _gains(times: Timings, machine: str, job: JobKey, keys: Mapping[str, Key], disturbed: Mapping[str, Sample]) -> str:
    """Return what the trainers gain over the loop. disturbed: epochs of the trainers that were disturbed"""
    timed = {trainer: times.epochs[key] for trainer, key in keys.items()}
    won = winner(timed, disturbed)
    labels = {key[0].label.removeprefix(machine).removeprefix(", ") for name, key in keys.items() if name in (BASELINE, _STEP, won.trainer)}
    where = f"{job.workload} ({labels.pop()})" if len(labels) == 1 and labels != {""} else job.workload
    if won.ahead is None:
        return f"On {where}, {won.trainer} takes {duration(timed[won.trainer].value)} per epoch."
    fastest = f"the fastest undisturbed trainer{'s' if won.level else ''}" if won.uncertain else "the fastest"
    leaders = f"{listed([won.trainer, *won.level])} are tied as {fastest}" if won.level else f"{won.trainer} is {fastest}"
    if BASELINE not in timed or BASELINE in (won.trainer, *won.level):
        return f"On {where}, {leaders}" + ("." if won.level else f": {_times(won.ahead)} times as fast as {won.second}.")
    over = {name: _times(timed[BASELINE].over(epochs)) for name, epochs in timed.items()}
    if _STEP not in timed or won.trainer == _STEP:
        return f"On {where}, {leaders}: {over[won.trainer]} times as fast as {BASELINE}."
    return f"On {where}, {_STEP} is {over[_STEP]} times as fast as {BASELINE}, and {leaders}: {over[won.trainer]} times as fast."


def _crossing(at: Crossing) -> str:
    if at.axis == "batch_size":
        return f"On the grid with {at.fixed:,} hidden units, {at.ahead} overtakes {at.behind} at a mini-batch size {at.about}."
    return f"On the grid with mini-batches of {at.fixed:,}, {at.ahead} overtakes {at.behind} at a number of hidden units {at.about}."


def _case(case: CaseRatio, *, several_kinds: bool) -> str:
    return f"{case.trainer} on {case.work.workload}" + (f" in {case.work.kind}" if several_kinds else "")


def _where(cases: Sequence[CaseRatio], job: JobKey | None) -> str:
    if len(cases) == 1:
        return f"the one case that both ran, {_case(cases[0], several_kinds=False)}"
    return f"the {len(cases)} trainers that both ran on {job.workload}" if job else f"the {len(cases)} cases that both ran"


def _times(ratio: Interval) -> str:
    return f"{digits(ratio.value)} ({digits(ratio.low)} to {digits(ratio.high)})"
