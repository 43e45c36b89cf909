"""`python -m bench gate`: measures pairs of each changed trainer, applies rule.py and collects the verdicts in a report."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import impls
from bench import records
from bench.gate import MARGIN, SECONDS
from bench.gate.changed_trainers import changed, merge_base
from bench.gate.growth import growth
from bench.gate.missing_trainers import reject_missing
from bench.gate.verdict import Report, Verdict, Word
from bench.machine.identity import describe
from bench.options import Options
from bench.paired import duel
from bench.paired.checkout import commit, has_impls, home, unchanged, working_tree
from bench.paired.contender import Contender, ContenderError, contender
from bench.paired.pair import Pair, pair_rows
from bench.paired.referee import start as started
from bench.paired.rule import AFRESH, Stages, decide, slower_to_start, start_ratio
from bench.paired.sequential import interval_at
from bench.records import WriteError
from bench.system.progress import progress
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted
from bench.workload import Workload
from impls import InputError


def gate(
    options: Options, *, base: str | None, threads: Sequence[int] = (duel.THREADS,), margin: float = MARGIN, seconds: float = SECONDS
) -> Report:
    """Judge each of the options' trainers or, by default, each trainer whose code differs from the base's, and return the report.

    There is a verdict for each trainer on each of the options' workloads with each number of threads. All verdicts of a report together
    have the rate of false alarms that the gate states.

    base     a revision; None: the merge base with the main branch
    threads  numbers of threads
    margin   smallest slowdown to report: 0.01 means 1 %
    seconds  time budget for each verdict
    Writes the pairs of each verdict to the CSV after it.
    Raises InputError if the base does not exist. A trainer's failure becomes its verdict. A signal or a full disk ends the gate early:
    the report has the verdicts so far. If it ends before the first pair of the first trainer, the function raises the error.
    """
    home()  # raises if the running code is another copy than the checkout that is compared
    revision = commit(base) if base else merge_base()
    if not options.trainers and not has_impls():
        raise InputError(
            "--trainers", "this repository has no impls/", "name the trainers to judge, such as --trainers my_module:MyTrainer"
        )
    trainers = options.trainers or changed(revision)
    for trainer in trainers:
        impls.locate(trainer)  # rejects an unknown name
        reject_missing(trainer, revision)
    records.check_writable(options.results)
    run_id, machine = records.new_id(datetime.now(UTC)), describe(options.machine).machine
    writer = records.Writer(options.results / f"{run_id}-gate-{machine}.csv")
    verdicts: list[Verdict] = []
    jobs = _jobs(trainers, revision, options.workloads, threads)
    for job in jobs:
        verdict = _verdict(job, revision, options, margin, seconds, family=len(jobs))
        verdicts.append(verdict)
        if verdict.duel and verdict.pairs:
            with suppress(WriteError):  # close() below writes again; the verdict is valid without the file
                writer.add(pair_rows(verdict.duel, verdict.stages, run_id=run_id, machine=machine))
        if verdict.broken_off:
            if len(verdicts) == 1 and not verdict.pairs:
                raise verdict.broken_off
            break
    verdicts += [Verdict(job.trainer, "not reached", job.workload.name, job.threads) for job in jobs[len(verdicts) :]]
    csv, unwritten = None, ""
    if any(verdict.pairs for verdict in verdicts):
        try:
            csv = writer.close()
        except WriteError as error:
            unwritten = f"warning: {error}"
    return Report(f"{revision[:12]} ({base or 'merge base'})", working_tree(), margin, verdicts, csv, unwritten)


class _Job(NamedTuple):
    """What a verdict is about."""

    trainer: str
    workload: Workload
    threads: int


def _jobs(trainers: Sequence[str], base: str, workloads: Sequence[Workload], threads: Sequence[int]) -> list[_Job]:
    """Return what to judge: each trainer on each workload with each number of threads, or once if its code is that of the base."""
    jobs = [_Job(*job) for job in itertools.product(trainers, workloads, threads)]
    same = {trainer for trainer in trainers if unchanged(base, ours=trainer in impls.TRAINERS)}
    return [job for job in jobs if job.trainer not in same or job[1:] == (workloads[0], threads[0])]


def _verdict(job: _Job, base: str, options: Options, margin: float, seconds: float, *, family: int) -> Verdict:
    begin = time.monotonic()
    stages: Stages = {}
    trainer, workload, threads = job
    verdict = Verdict(trainer, "not reached", workload.name, threads, stages=stages)
    if unchanged(base, ours=trainer in impls.TRAINERS):
        return replace(verdict, word="unchanged", reason="the same code as the base's, so nothing was measured")
    try:
        with scratch_dir() as directory:
            progress(f"{verdict.title}: verifying")
            old = contender(f"{trainer}@{base[:12]}", directory / "base")
            new = contender(trainer, directory / "head")
            try:
                match = duel.prepare(new, old, workload, options.splits(), directory, threads=threads, seconds=seconds)
                verdict = replace(verdict, word="undecided", duel=match)
                left = seconds - (time.monotonic() - begin)
                decision, ratio, _ = decide(
                    _with_progress(match.pairs(), verdict.title), margin=margin, seconds=left, stages=stages, family=family
                )
                verdict = replace(verdict, word=decision, ratio=ratio, reason=_left_behind(match) or _undecided(decision, stages))
                every = [pair for each in stages.values() for pair in each]
                start = start_ratio(every, family=family)
                verdict = replace(verdict, start=start)
                if decision != "slower" and slower_to_start(every, start):
                    verdict = replace(verdict, word="slower to start")
                if decision == "slower":
                    progress(f"{verdict.title}: slower; measuring why")
                    verdict = replace(verdict, why=growth(match))
            except ContenderError as error:
                word, reason = _failed(error, new, lambda: started(new, workload, options.splits(), directory, threads))
                verdict = replace(verdict, word=word, reason=reason)
    except (Stopped, InputError, OSError) as error:
        verdict = replace(verdict, reason=f"ended early: {error}", broken_off=error)
    return replace(verdict, seconds=time.monotonic() - begin)


def _failed(error: ContenderError, new: Contender, start: Callable[[], None]) -> tuple[Word, str]:
    """Return the verdict and the reason of a failure. The base ran first, so what fails only in the working tree is *broken* there.

    start  starts the working tree's contender
    """
    if error.contender is new:
        return "broken", str(error)
    if not error.absent:
        return "not comparable", str(error)
    try:
        start()
    except ContenderError as too:
        return ("absent", str(too)) if too.absent else ("broken", str(too))
    return "not comparable", str(error)


def _undecided(word: Word, stages: Stages) -> str:
    """Return the reason for the verdict *undecided*; empty for other verdicts."""
    if word != "undecided":
        return ""
    measured = list(stages.values())[-1]
    few = not interval_at(measured, 1).known  # too few pairs for an interval at any look
    if AFRESH in stages:
        problem = "no time left to confirm it; raise --seconds" if few else "but the second set does not confirm it"
        return f"slower in the first set of pairs, {problem}"
    if few:
        return f"measured only {counted(len(measured), 'pair')}, too few for an interval; raise --seconds"
    return "too noisy for a decision in this time; raise --seconds or use an idle machine"


def _left_behind(match: duel.Duel) -> str:
    left = match.left_behind["a"]
    return f"left child processes running; killed {', '.join(sorted(left))}" if left else ""


def _with_progress(pairs: Iterable[Pair], trainer: str) -> Iterator[Pair]:
    for number, pair in enumerate(pairs, start=1):
        progress(f"{trainer}: pair {number}")
        yield pair
