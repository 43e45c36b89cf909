"""`python -m bench bisect GOOD BAD`: finds the commits, or the releases of a package, from which a trainer is slower."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.bisect.answer import Answer
from bench.bisect.search import Findings, search
from bench.options import Options
from bench.paired.checkout import home
from bench.paired.contender import Contender, ContenderError, contender
from bench.paired.environment import Releases, interpreter
from bench.paired.many_duels import ManyDuels, Unmeasurable
from bench.paired.pair_log import PairLog
from bench.paired.revisions import Commit, changing, described, first_parents, merged
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted
from impls import InputError


def bisect(good: str, bad: str, options: Options, *, margin: float, seconds: float, merges: bool = False) -> Answer:
    """Search the first parents of `bad` after `good` for commits that made the trainer slower, until the seconds are up.

    margin  smallest slowdown to find: 0.01 means 1 %
    merges  whether to search the branch of a merge that made it slower
    Writes each pair to a CSV. Raises InputError unless the options name one trainer and one workload, and `bad` comes after `good`.
    Raises ContenderError if `good` or `bad` does not run. A signal ends the search early: the answer has what was found so far.
    """
    options.only_workload("bisect")
    trainer, end = options.only_trainer("bisect"), time.monotonic() + seconds
    home()  # raises if the running code is another copy than the checkout that is searched
    range_ = first_parents(good, bad)
    commits = changing(range_, trainer)
    if not commits:
        raise InputError(f"{good}..{bad}", f"none of its commits changes the code of {trainer}", "choose other commits")
    answer = _among([described(good), *commits], options, margin, seconds)
    answer.of = f"{counted(len(range_), 'commit')} after {answer.commits[0].short}, of which {len(commits)} change the code of {trainer}"
    if merges and not answer.broken_off:
        for culprit in answer.found.culprits:
            branch = merged(commits[culprit.commits[-1] - 1]) if len(culprit.commits) == 1 else None
            inside = changing(first_parents(*branch), trainer) if branch else []
            if inside and branch and (left := end - time.monotonic()) > 0:
                answer.inside[culprit.commits[-1]] = _among([described(branch[0]), *inside], options, margin, left)
    return answer


def bisect_package(releases: Releases, options: Options, *, margin: float, seconds: float) -> Answer:
    """Search the releases of a package for those that made the trainer slower, as `bisect` does. Each has an environment of its own."""
    options.only_workload("bisect")
    trainer = options.only_trainer("bisect")
    answer = _search(
        [Commit(version, "", "") for version in releases.versions],
        lambda at, code: contender(
            trainer, code, python=interpreter([f"{releases.package}=={releases.versions[at]}"], trainer), label=releases.versions[at]
        ),
        options,
        margin,
        seconds,
    )
    answer.what, answer.of = "release", f"{counted(len(releases.versions), 'release')} of {releases.package}"
    return answer


def _among(commits: Sequence[Commit], options: Options, margin: float, seconds: float) -> Answer:
    """Search commits, of which the first is good and the last is slow."""
    trainer = options.trainers[0]
    return _search(commits, lambda at, code: contender(f"{trainer}@{commits[at].short}", code), options, margin, seconds)


def _search(commits: Sequence[Commit], make: Callable[[int, Path], Contender], options: Options, margin: float, seconds: float) -> Answer:
    log = PairLog(options, "bisect")
    answer = Answer(options.trainers[0], commits, "", margin, Findings(), log)
    try:
        with scratch_dir() as directory:
            duels = ManyDuels(make, options, directory, seconds=seconds, keep=log.keep)
            search(duels, len(commits) - 1, answer.found, margin=margin, seconds=seconds)
    except (Stopped, ContenderError, Unmeasurable) as error:
        if not log.duel:
            raise
        answer.broken_off = error
    log.close()
    return answer
