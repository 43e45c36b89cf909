"""Noisy binary search for the commits from which a trainer is slower.

Each step measures the pair that tells most for its cost, and updates the probability of each commit. If one is likely enough, pairs of it
and of its parent, measured afresh, decide with the rule of the gate. If they confirm it, the search goes on behind it for the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from bench.bisect import SURE
from bench.bisect.posterior import Posterior
from bench.paired.many_duels import Unmeasurable
from bench.paired.pair import Pair
from bench.paired.rule import Decision, decide
from bench.stats.intervals import Interval

_REFUTED = 1e-3  # factor of the probability of a commit that is not slower than its parent
_FEWEST = 8  # pairs of a culprit with the first commit, before it is the base of the next search


class Field(Protocol):
    """Commits to measure, by number, as `ManyDuels` are. Commit 0 is the good one."""

    def pairs(self, commit: int, base: int) -> Iterator[Pair]:
        """Measure pairs of two commits endlessly. Raises Unmeasurable if one does not run or is wrong."""
        ...

    def cost(self, commit: int) -> float:
        """Return about how many seconds the next pair of a commit with commit 0 takes."""
        ...

    def now(self) -> float:
        """Return the time in seconds."""
        ...


@dataclass(frozen=True)
class Culprit:
    """A commit that made the trainer slower.

    commits  its number; several numbers if those before the last of them cannot be measured
    before   the commit before it, with which it was compared
    ratio    its time over that of the commit before
    """

    commits: tuple[int, ...]
    before: int
    ratio: Interval


@dataclass
class Findings:
    """What a search has found so far.

    whole     the decision on the last commit over the first, with the ratio
    culprits  in the order of the commits
    rest      the decision on the last commit over the last culprit; None: not reached
    left      the probabilities of the commits after the last culprit, if the time ended the search
    ratios    log ratios of the pairs with commit 0, of each commit
    skipped   the commits that cannot be measured, with the reason
    """

    whole: tuple[Decision, Interval] | None = None
    culprits: list[Culprit] = field(default_factory=list)
    rest: tuple[Decision, Interval] | None = None
    left: Posterior | None = None
    ratios: dict[int, list[float]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)


def search(commits: Field, last: int, found: Findings, *, margin: float, seconds: float) -> None:
    """Find the commits up to `last` that made the trainer slower, and note them in `found`, until the seconds are up.

    margin  smallest slowdown to find: 0.01 means 1 %
    Raises Unmeasurable if the last commit cannot be measured.
    """
    end, base = commits.now() + seconds, 0
    while base < last:
        decision, ratio, stages = decide(commits.pairs(last, base), margin=margin, seconds=end - commits.now())
        if base == 0:
            found.whole = decision, ratio
            found.ratios[last] = [pair.log_ratio for pairs in stages.values() for pair in pairs]
        else:
            found.rest = decision, ratio
        if decision != "slower":
            return
        found.left = Posterior(found.ratios, found.skipped, base=base, last=last, margin=margin)
        culprit = _first(commits, found, found.left, ratio, margin, end)
        if culprit is None:
            return
        found.culprits.append(culprit)
        found.left, found.rest, base = None, None, culprit.commits[-1]
        while base < last and len(found.ratios.setdefault(base, [])) < _FEWEST and commits.now() < end:
            _measure(commits, found, base)


def _first(commits: Field, found: Findings, posterior: Posterior, whole: Interval, margin: float, end: float) -> Culprit | None:
    """Return the first culprit after the posterior's base; None if the time is up, or if no measurement tells more.

    whole  the ratio of the last commit to the base
    """
    while True:
        group, probability = posterior.likeliest()
        try:
            if probability >= SURE:
                before = max(commit for commit in range(posterior.base, group[0]) if commit not in found.skipped)
                if (before, group[-1]) == (posterior.base, posterior.last):  # already decided
                    return Culprit(tuple(group), before, whole)
                decision, ratio, _ = decide(commits.pairs(group[-1], before), margin=margin, seconds=end - commits.now())
                if decision == "slower":
                    return Culprit(tuple(group), before, ratio)
                if decision == "undecided":
                    return None
                posterior.doubt(group, _REFUTED)
            commit = posterior.next(commits.cost)
            if commit is None or commits.now() + commits.cost(commit) > end:
                return None
            _measure(commits, found, commit)
        except Unmeasurable as reason:
            if reason.number in (posterior.base, posterior.last):
                raise
            found.skipped[reason.number] = str(reason)


def _measure(commits: Field, found: Findings, commit: int) -> None:
    """Measure a pair of a commit with commit 0. Raises Unmeasurable."""
    found.ratios.setdefault(commit, []).append(next(commits.pairs(commit, 0)).log_ratio)
