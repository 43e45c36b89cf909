"""`python -m bench history REVISIONS`: measures each commit of a range against one base, in turns, and goes on where it stopped.

Every turn measures one pair of each commit with the base, in random order. So a slow phase of the machine affects both sides of a pair,
and all commits alike: the series does not drift.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bench.history import NEWEST
from bench.history.answer import Answer
from bench.history.saved import saved
from bench.options import Options
from bench.paired.checkout import commit, home, run_git
from bench.paired.contender import ContenderError, contender
from bench.paired.duel import THREADS
from bench.paired.many_duels import ManyDuels
from bench.paired.pair_log import PairLog
from bench.paired.revisions import Commit, changing, described, first_parents, tagged
from bench.paired.turns import measure_in_turns
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from impls import InputError


def history(revisions: str | None, options: Options, *, base: str | None, every: int, tags: bool, pairs: int, seconds: float) -> Answer:
    """Measure pairs of the trainer at each commit with the base, until each commit has `pairs` of them or the seconds are up.

    revisions  GOOD..BAD, or GOOD for GOOD..HEAD; None: the newest commits that change the trainer's code
    base       the revision to pair each commit with; None: the first of the range
    every      measure every N-th commit that changes the code; the first and the last one are always measured
    tags       measure only commits with a tag
    Pairs of earlier calls in the directory of results count, if they are of the same machine, job and base. Writes the new ones to a CSV.
    Raises InputError unless the options name one trainer and one workload, and ContenderError if the base does not run. A signal ends
    the measurement early: the answer has what was measured so far.
    """
    workload = options.only_workload("history")
    trainer, end = options.only_trainer("history"), time.monotonic() + seconds
    home()  # raises if the running code is another copy than the checkout that is measured
    commits = chosen(revisions, trainer, every=every, tags=tags)
    if base:
        commits = [described(base), *(one for one in commits if one.hash != commit(base))]
    log = PairLog(options, "history")
    threads = options.threads or THREADS
    before = saved(options.results, trainer, commits[0], _title(options), machine=log.machine, threads=threads)
    if before.examples and not workload.examples:
        options = replace(options, workloads=(replace(workload, examples=before.examples),))
    answer = Answer(trainer, commits, log=log)
    for number, one in enumerate(commits[1:], start=1):
        answer.ratios[number] = list(before.log_ratios.get(one.short, []))

    try:
        with scratch_dir() as directory:
            duels = ManyDuels(
                lambda at, code: contender(f"{trainer}@{commits[at].short}", code), options, directory, seconds=seconds, keep=log.keep
            )
            names = [one.short for one in commits]
            measure_in_turns(duels, answer.ratios, answer.skipped, names=names, pairs=pairs, end=end)
    except (Stopped, ContenderError) as error:
        if not any(answer.ratios.values()):
            raise
        answer.broken_off = error
    log.close()
    return answer


def chosen(revisions: str | None, trainer: str, *, every: int, tags: bool) -> list[Commit]:
    """Return the commits to measure, oldest first: the first of the range, then those after it that change the trainer's code."""
    if revisions is None:
        newest = changing(first_parents(_first_commit(), "HEAD"), trainer)[-NEWEST:]
        start, rest = newest[0], newest[1:]
    else:
        good, _, bad = revisions.partition("..")
        start = described(good)
        rest = changing(first_parents(good, bad or "HEAD"), trainer)
    if tags:
        rest = tagged(rest)
    rest = [one for number, one in enumerate(rest, start=1) if number % every == 0 or number == len(rest)]
    if not rest:
        raise InputError(revisions or "HEAD", f"no commit to measure changes the code of {trainer}", "choose other commits")
    return [start, *rest]


def _title(options: Options) -> str:
    """Return the title of the options' job."""
    workload, splits = options.workloads[0], options.splits()
    data = workload.data(splits)
    return workload.title(workload.layers(data), len(data))


def _first_commit() -> str:
    """Return the oldest commit along first parents from HEAD."""
    return run_git("rev-list", "--first-parent", "HEAD").split()[-1]
