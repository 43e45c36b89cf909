"""`python -m bench bisect GOOD BAD`: finds the commits from which a trainer is slower."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from bench import records
from bench.bisect.answer import Answer
from bench.bisect.search import Findings, search
from bench.machine.identity import describe
from bench.options import Options
from bench.paired.checkout import home
from bench.paired.commit_duels import CommitDuels, Unmeasurable
from bench.paired.contender import ContenderError
from bench.paired.duel import Duel
from bench.paired.pair import Pair, rows_of
from bench.paired.revisions import Commit, changing, described, first_parents, merged
from bench.records import WriteError
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from impls import InputError


def bisect(good: str, bad: str, options: Options, *, margin: float, seconds: float, merges: bool = False) -> Answer:
    """Search the first parents of `bad` after `good` for commits that made the trainer slower, until the seconds are up.

    margin  smallest slowdown to find: 0.01 means 1 %
    merges  whether to search the branch of a merge that made it slower
    Writes each pair to a CSV. Raises InputError unless the options name one trainer and one workload, and `bad` comes after `good`.
    Raises ContenderError if `good` or `bad` does not run. A signal ends the search early: the answer has what was found so far.
    """
    options.only_workload("bisect")
    if len(options.trainers) != 1:
        raise InputError("--trainers", f"bisect takes one trainer, not {len(options.trainers)}", "give --trainers NAME")
    home()  # raises if the running code is another copy than the checkout that is searched
    (trainer,), end = options.trainers, time.monotonic() + seconds
    range_ = first_parents(good, bad)
    commits = changing(range_, trainer)
    if not commits:
        raise InputError(f"{good}..{bad}", f"none of its commits changes the code of {trainer}", "choose other commits")
    records.check_writable(options.results)
    answer = _search(trainer, [described(good), *commits], len(range_), options, margin, seconds)
    if merges and not answer.broken_off:
        for culprit in answer.found.culprits:
            branch = merged(commits[culprit.commits[-1] - 1]) if len(culprit.commits) == 1 else None
            inside = changing(first_parents(*branch), trainer) if branch else []
            if inside and branch and (left := end - time.monotonic()) > 0:
                answer.inside[culprit.commits[-1]] = _search(trainer, [described(branch[0]), *inside], len(inside), options, margin, left)
    return answer


def _search(trainer: str, commits: Sequence[Commit], of: int, options: Options, margin: float, seconds: float) -> Answer:
    """Search commits, of which the first is good and the last is slow. of: number of commits in the range that was asked for"""
    run_id, machine = records.new_id(datetime.now(UTC)), describe(options.machine).machine
    writer = records.Writer(options.results / f"{run_id}-bisect-{machine}.csv")
    answer = Answer(trainer, commits, of, margin, Findings())

    def keep(match: Duel, number: int, pair: Pair) -> None:
        answer.duel = match
        with suppress(WriteError):  # close() below writes again; the search goes on without the file
            writer.add(rows_of(match, pair, number, run_id=run_id, machine=machine))

    try:
        with scratch_dir() as directory:
            duels = CommitDuels(trainer, commits, options, directory, seconds=seconds, keep=keep)
            search(duels, len(commits) - 1, answer.found, margin=margin, seconds=seconds)
    except (Stopped, ContenderError, Unmeasurable) as error:
        if not answer.duel:
            raise
        answer.broken_off = error
    try:
        answer.csv = writer.close()
    except WriteError as error:
        answer.unwritten = f"warning: {error}"
    return answer
