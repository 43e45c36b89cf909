"""Pairs of a trainer at many commits, all on one job, each commit prepared when it is first measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.options import Options
from bench.paired import duel
from bench.paired.contender import Contender, ContenderError, contender
from bench.paired.duel import Duel
from bench.paired.pair import Pair
from bench.paired.revisions import Commit
from bench.system.progress import progress

_PREPARE, _PAIR = 4.0, 1.5  # seconds, before any was measured


class Unmeasurable(Exception):
    """A commit's code does not run, or computes a wrong result. commit: its number"""

    def __init__(self, commit: int, reason: str) -> None:
        super().__init__(reason)
        self.commit = commit


class CommitDuels:
    """A trainer at some commits, by their numbers. Commit 0 is the base: its `loop` gives the right results for all others."""

    def __init__(
        self,
        trainer: str,
        commits: Sequence[Commit],
        options: Options,
        directory: Path,
        *,
        seconds: float,
        keep: Callable[[Duel, int, Pair], None],
    ) -> None:
        """Nothing is measured yet.

        directory  for copies of the code; must be empty
        seconds    time budget
        keep       called with each pair, its duel, and its number in it, from 1
        """
        self.commits = commits
        self._trainer, self._options, self._directory, self._seconds, self._keep = trainer, options, directory, seconds, keep
        self._contenders: dict[int, Contender] = {}
        self._endless: dict[tuple[int, int], Iterator[Pair]] = {}
        self._first: Duel | None = None
        self._facts: dict[int, dict[str, Any]] = {}
        self._preparing: list[float] = []
        self._measuring: list[float] = []

    def pairs(self, commit: int, base: int) -> Iterator[Pair]:
        """Measure pairs of two commits endlessly, of `commit` as contender a.

        Raises Unmeasurable if one does not run or is wrong, ContenderError if it is commit 0.
        """
        if (commit, base) not in self._endless:
            self._endless[commit, base] = self._pairs(commit, base)
        for pair in self._endless[commit, base]:  # noqa: UP028 (`yield from` would close it with this generator)
            yield pair

    def cost(self, commit: int) -> float:
        """Return about how many seconds the next pair of a commit with commit 0 takes."""
        pair = max(self._measuring[-20:], default=_PAIR)
        return pair if commit in self._facts else pair + max(self._preparing, default=_PREPARE)

    @staticmethod
    def now() -> float:
        """Return the time in seconds."""
        return time.monotonic()

    def _pairs(self, commit: int, base: int) -> Iterator[Pair]:
        try:
            match = self._duel(commit, base)
            for number, pair in enumerate(match.pairs(), start=1):
                self._measuring.append(pair.seconds)
                self._keep(match, number, pair)
                yield pair
        except ContenderError as error:
            at = next((at for at, one in self._contenders.items() if one is error.contender), 0)
            if not at:
                raise
            raise Unmeasurable(at, str(error)) from error

    def _duel(self, commit: int, base: int) -> Duel:
        a, b = self._contender(commit), self._contender(base)
        if self._first is None:
            progress(f"verifying {a.name} and {b.name}")
            workload, threads = self._options.workloads[0], self._options.threads or duel.THREADS
            match = self._first = duel.prepare(
                a, b, workload, self._options.splits(), self._directory, threads=threads, seconds=self._seconds
            )
            self._facts = {commit: match.facts["a"], base: match.facts["b"]}
            return match
        begin = time.monotonic()
        for at in (base, commit):
            if at not in self._facts:
                progress(f"verifying {self._contenders[at].name}")
                self._facts[at] = self._first.referee.verify(self._contenders[at])
                self._preparing.append(time.monotonic() - begin)
        return self._first.of(a, b, {"a": self._facts[commit], "b": self._facts[base]})

    def _contender(self, at: int) -> Contender:
        if at not in self._contenders:
            directory = self._directory / str(at)
            self._contenders[at] = contender(f"{self._trainer}@{self.commits[at].short}", directory)
        return self._contenders[at]
