"""Probability of each commit to be the first slow one, given the ratios of pairs.

It is assumed that all commits before the first slow one are about as fast as the base, and that all from it on are slower by at least the
margin. A commit's true ratio is uncertain: a slow one is probably as slow as the last commit, but may be anything beyond the margin, since
there may be several culprits. The pairs' ratios are Student-distributed around it, because some are far off.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bench.stats.levels import median_error, spread

Floats = npt.NDArray[np.float64]

_FREEDOM = 4  # of Student's distribution
_SAME = 0.002  # standard deviation of the logarithm of a true ratio that should be 1, or that of the last commit
_OTHER = 0.1  # share of the commits with another ratio: before the first slow one, up to the margin; after it, any beyond the margin
_SHARED = 0.7  # of a pair's evidence that is its own; neighbouring pairs resemble each other
_FAR = 0.3  # a logarithm; a commit with a larger ratio is slow without doubt, so it counts as this
_POINTS = 1201  # of the grid of true ratios


class Posterior:
    """What the pairs so far say about the commits after `base`, of which the last is slow.

    ratios   log ratios of each commit's pairs, over commit 0; grows while the search goes on
    skipped  commits that cannot be measured; may grow, too
    base     the commit relative to which a commit is slow, from 0
    last     the number of the last commit
    margin   smallest slowdown that counts: 0.01 means 1 %
    """

    def __init__(self, ratios: Mapping[int, Sequence[float]], skipped: Collection[int], *, base: int, last: int, margin: float) -> None:
        self.base, self.last = base, last
        self._ratios, self._skipped, self._least = ratios, skipped, math.log1p(margin)
        self._doubts = np.zeros(last - base)

    @property
    def commits(self) -> range:
        """The commits that may be the first slow one."""
        return range(self.base + 1, self.last + 1)

    def doubt(self, commits: Collection[int], factor: float) -> None:
        """Multiply the probability of these commits, relative to that of others."""
        for commit in commits:
            self._doubts[commit - self.base - 1] += math.log(factor)

    def probabilities(self) -> dict[int, float]:
        """Return the probability of each commit to be the first slow one."""
        fast, slow = self._evidence()
        log = np.concatenate([[0.0], np.cumsum(fast)[:-1]]) + np.cumsum(slow[::-1])[::-1] + self._doubts
        weights = np.exp(log - log.max())
        return dict(zip(self.commits, (weights / weights.sum()).tolist(), strict=True))

    def groups(self) -> list[list[int]]:
        """Return the commits in groups that no measurement can tell apart: skipped ones, with the next that is not skipped."""
        groups: list[list[int]] = [[]]
        for commit in self.commits:
            groups[-1].append(commit)
            if commit not in self._skipped and commit < self.last:
                groups.append([])
        return groups

    def likeliest(self) -> tuple[list[int], float]:
        """Return the group with the highest probability, and this probability."""
        probabilities = self.probabilities()
        sums = [(group, sum(probabilities[commit] for commit in group)) for group in self.groups()]
        return max(sums, key=lambda one: one[1])

    def next(self, cost: Callable[[int], float]) -> int | None:
        """Return the commit whose next pair tells most for its cost in seconds; None if no commit can be measured."""
        slow = dict(zip(self.commits, itertools.accumulate(self.probabilities().values()), strict=True))
        worth = {
            commit: slow[commit] * (1 - slow[commit]) / cost(commit)
            for commit in self.commits
            if commit < self.last and commit not in self._skipped
        }
        return max(worth, key=lambda commit: worth[commit]) if worth else None

    def _evidence(self) -> tuple[Floats, Floats]:
        """Return the log likelihood of each commit's ratios if it is fast, and if it is slow, (commits,) each."""
        far = max(_FAR, 2 * self._least)
        deviation = spread(self._ratios.values())
        level, level_error = median_error(self._ratios[self.base], deviation) if self.base else (0.0, 0.0)
        whole, error = median_error(self._ratios[self.last], deviation)
        grid = np.linspace(-far, far, _POINTS)
        fast = _mixture(grid, grid < self._least, around=0.0, deviation=math.hypot(level_error, _SAME))
        slow = _mixture(grid, grid >= self._least, around=min(whole - level, far), deviation=math.hypot(error, level_error, _SAME))
        both = np.zeros((2, len(self.commits)))
        for at, commit in enumerate(self.commits[:-1]):
            if ratios := self._ratios.get(commit):
                x = np.clip(np.array(ratios) - level, -far, far)
                likelihood = _SHARED * _student((x[:, None] - grid) / deviation).sum(axis=0)
                both[:, at] = _log_mean(likelihood, fast), _log_mean(likelihood, slow)
        return both[0], both[1]


def _mixture(grid: Floats, allowed: npt.NDArray[np.bool_], *, around: float, deviation: float) -> Floats:
    """Return the weights of the true ratios: most near a value, the others anywhere where they are allowed."""
    near = np.exp(-0.5 * ((grid - around) / deviation) ** 2) * allowed
    anywhere = allowed / allowed.sum()
    return np.asarray((1 - _OTHER) * near / near.sum() + _OTHER * anywhere if near.any() else anywhere)


def _student(x: Floats) -> Floats:
    """Return the logarithm of Student's density, without its constant."""
    return np.asarray(-(_FREEDOM + 1) / 2 * np.log1p(x**2 / _FREEDOM))


def _log_mean(log: Floats, weights: Floats) -> float:
    """Return the logarithm of the weighted mean of exp(log)."""
    most = float(log.max())
    return most + math.log(float(np.exp(log - most) @ weights))
