"""`python -m bench gate`, from start to report: for each changed trainer, measure pairs, apply rule.py, keep the verdict."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import impls
from bench import records
from bench.gate import MARGIN, SECONDS
from bench.gate.changed_trainers import changed, merge_base
from bench.gate.rule import AFRESH, Stages, decide
from bench.gate.verdict import Report, Verdict, Word
from bench.machine.identity import describe
from bench.options import Options
from bench.paired import duel
from bench.paired.checkout import commit, home, working_tree
from bench.paired.contender import Contender, ContenderError, contender
from bench.paired.pair import Pair, pair_rows
from bench.paired.sequential import interval_at
from bench.records import WriteError
from bench.system.progress import progress
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted
from impls import InputError


def gate(options: Options, *, base: str | None, margin: float = MARGIN, seconds: float = SECONDS) -> Report:
    """Judge each of the options' trainers, or if there are none those whose code differs from the base's.

    base     a revision; None: where the working tree's history left the main branch
    seconds  for each trainer
    The pairs of each trainer are on the disk as soon as its verdict stands.
    Raises InputError if there is no such base; what goes wrong with a trainer is its verdict. What ends the gate before its time, a
    signal or a full disk, is the report's to tell, or raised if nothing was measured.
    """
    if len(options.workloads) != 1:
        raise InputError(f"gate takes one workload, not {len(options.workloads)}: {', '.join(w.name for w in options.workloads)}")
    home()  # refuses to measure another copy of the code than the one whose changes are looked at
    revision = commit(base) if base else merge_base()
    trainers = options.trainers or changed(revision)
    for trainer in trainers:
        impls.locate(trainer)  # refuses a name that there is not
    records.check_writable(options.results)
    run_id, machine = records.new_id(datetime.now(UTC)), describe(options.machine).machine
    writer = records.Writer(options.results / f"{run_id}-gate-{machine}.csv")
    verdicts: list[Verdict] = []
    for trainer in trainers:
        verdict = _verdict(trainer, revision, options, margin, seconds)
        verdicts.append(verdict)
        if verdict.duel and verdict.pairs:
            with suppress(WriteError):  # tried again at the end; the verdict stands all the same
                writer.add(pair_rows(verdict.duel, verdict.stages, run_id=run_id, machine=machine))
        if verdict.broken_off:
            if len(verdicts) == 1 and not verdict.pairs:
                raise verdict.broken_off
            break
    verdicts += [Verdict(trainer, "not reached") for trainer in trainers[len(verdicts) :]]
    csv, unwritten = None, ""
    if any(verdict.pairs for verdict in verdicts):
        try:
            csv = writer.close()
        except WriteError as error:
            unwritten = f"warning: {error}"
    return Report(f"{revision[:12]} ({base or 'merge base'})", working_tree(), margin, verdicts, csv, unwritten)


def _verdict(trainer: str, base: str, options: Options, margin: float, seconds: float) -> Verdict:
    begin = time.monotonic()
    stages: Stages = {}
    verdict = Verdict(trainer, "not reached", stages=stages)
    threads = options.threads or 1  # one is steadier, and what slows one slows two
    try:
        with scratch_dir() as directory:
            progress(f"{trainer}: verifying")
            old = contender(f"{trainer}@{base[:12]}", directory / "base")
            new = contender(trainer, directory / "head")
            try:
                match = duel.prepare(new, old, options.workloads[0], options.splits(), directory, threads=threads, seconds=seconds)
                verdict = replace(verdict, word="undecided", duel=match)
                left = seconds - (time.monotonic() - begin)
                decision, ratio, _ = decide(_with_progress(match.pairs(), trainer), margin=margin, seconds=left, stages=stages)
                verdict = replace(verdict, word=decision, ratio=ratio, reason=_left_behind(match) or _undecided(decision, stages))
            except ContenderError as error:
                word, reason = _failed(error, new, directory, threads)
                verdict = replace(verdict, word=word, reason=reason)
    except (Stopped, InputError, OSError) as error:
        verdict = replace(verdict, reason=f"broken off: {error}", broken_off=error)
    return replace(verdict, seconds=time.monotonic() - begin)


def _failed(error: ContenderError, new: Contender, directory: Path, threads: int) -> tuple[Word, str]:
    """Return the word for a failure, and why. The base was tried first, so what only the working tree cannot do is its own fault."""
    if error.contender is new:
        return "broken", str(error)
    if not error.absent:
        return "not comparable", str(error)
    try:
        duel.start(new, directory, threads)
    except ContenderError as too:
        return ("absent", str(too)) if too.absent else ("broken", str(too))
    return "not comparable", str(error)


def _undecided(word: Word, stages: Stages) -> str:
    """Return why the word is *undecided*, if it is."""
    if word != "undecided":
        return ""
    measured = list(stages.values())[-1]
    few = not interval_at(measured, 1).known  # at which no look would show an interval
    if AFRESH in stages:
        return f"slower at first, {'no time left to repeat it: give more --seconds' if few else 'but not clearly when measured afresh'}"
    if few:
        return f"the time was enough for {counted(len(measured), 'pair')}, too few for an interval: give more --seconds"
    return "too noisy for the time: give more --seconds, or a machine that does nothing else"


def _left_behind(match: duel.Duel) -> str:
    left = match.left_behind["a"]
    return f"left processes behind, which were ended: {', '.join(sorted(left))}" if left else ""


def _with_progress(pairs: Iterable[Pair], trainer: str) -> Iterator[Pair]:
    for number, pair in enumerate(pairs, start=1):
        progress(f"{trainer}: pair {number}")
        yield pair
