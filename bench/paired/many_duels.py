"""Pairs of many contenders on one job, such as a trainer at many commits. Each is prepared when it is first measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.options import Options
from bench.paired import duel
from bench.paired.contender import Contender, ContenderError
from bench.paired.duel import Duel
from bench.paired.pair import Pair
from bench.system.progress import progress

_PREPARE, _PAIR = 4.0, 1.5  # seconds, before any was measured


class Unmeasurable(Exception):
    """A contender does not run, or computes a wrong result. number: of the contender"""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


class ManyDuels:
    """Contenders by their numbers. Number 0 is the base: its `loop` gives the right results for all others."""

    def __init__(
        self,
        make: Callable[[int, Path], Contender],
        options: Options,
        directory: Path,
        *,
        seconds: float,
        keep: Callable[[Duel, int, Pair], None],
    ) -> None:
        """Nothing is measured yet.

        make       returns the contender of a number, and copies its code into a directory
        directory  for these copies; must be empty
        seconds    time budget
        keep       called with each pair, its duel, and its number in it, from 1
        """
        self._make, self._options, self._directory, self._seconds, self._keep = make, options, directory, seconds, keep
        self._contenders: dict[int, Contender] = {}
        self._endless: dict[tuple[int, int], Iterator[Pair]] = {}
        self._first: Duel | None = None
        self._facts: dict[int, dict[str, Any]] = {}
        self._preparing: list[float] = []
        self._measuring: list[float] = []

    def pairs(self, number: int, base: int) -> Iterator[Pair]:
        """Measure pairs of two contenders endlessly, of `number` as contender a.

        Raises Unmeasurable if one does not run or is wrong, ContenderError if it is number 0.
        """
        if (number, base) not in self._endless:
            self._endless[number, base] = self._pairs(number, base)
        for pair in self._endless[number, base]:  # noqa: UP028 (`yield from` would close it with this generator)
            yield pair

    def cost(self, number: int) -> float:
        """Return about how many seconds the next pair of a contender with number 0 takes."""
        pair = max(self._measuring[-20:], default=_PAIR)
        return pair if number in self._facts else pair + max(self._preparing, default=_PREPARE)

    @staticmethod
    def now() -> float:
        """Return the time in seconds."""
        return time.monotonic()

    def _pairs(self, number: int, base: int) -> Iterator[Pair]:
        try:
            match = self._duel(number, base)
            for turn, pair in enumerate(match.pairs(), start=1):
                self._measuring.append(pair.seconds)
                self._keep(match, turn, pair)
                yield pair
        except ContenderError as error:
            at = next((at for at, one in self._contenders.items() if one is error.contender), 0)
            if not at:
                raise
            raise Unmeasurable(at, str(error)) from error

    def _duel(self, number: int, base: int) -> Duel:
        a, b = self._contender(number), self._contender(base)
        if self._first is None:
            progress(f"verifying {a.name} and {b.name}")
            workload, threads = self._options.workloads[0], self._options.threads or duel.THREADS
            match = self._first = duel.prepare(
                a, b, workload, self._options.splits(), self._directory, threads=threads, seconds=self._seconds
            )
            self._facts = {number: match.facts["a"], base: match.facts["b"]}
            return match
        begin = time.monotonic()
        for at in (base, number):
            if at not in self._facts:
                progress(f"verifying {self._contenders[at].name}")
                self._facts[at] = self._first.referee.verify(self._contenders[at])
                self._preparing.append(time.monotonic() - begin)
        return self._first.of(a, b, {"a": self._facts[number], "b": self._facts[base]})

    def _contender(self, at: int) -> Contender:
        if at not in self._contenders:
            self._contenders[at] = self._make(at, self._directory / str(at))
        return self._contenders[at]
