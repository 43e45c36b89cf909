"""Pairs: one fresh process of each contender with alternating epochs, and their CSV rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from bench.paired.duel import Duel


@dataclass(frozen=True)
class Pair:
    """The rounds of one process of each contender.

    a, b     seconds of each contender's epochs, by round
    order    for each round the contender that trained first, "a" or "b"
    seconds  total time of the pair
    a_start, b_start  seconds of each contender's constructor and of a `load`; 0: not measured
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    order: str
    seconds: float
    a_start: float = 0.0
    b_start: float = 0.0

    @property
    def log_ratio(self) -> float:
        """The median over the rounds of log(a's seconds / b's seconds)."""
        return float(np.median(np.log(self.a) - np.log(self.b)))


def ratio_error(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the standard error of a pair's `log_ratio` from the seconds of its rounds so far.

    It is computed from the median absolute deviation, which a few disturbed rounds do not change. The factor 1.48 converts that to the
    standard deviation of normally distributed values, and 1.25 / sqrt(n) converts that to the standard error of their median.
    """
    logs = np.log(a) - np.log(b)
    return float(1.2533 * 1.4826 * np.median(np.abs(logs - np.median(logs))) / np.sqrt(len(logs)))


@dataclass(frozen=True)
class Round:
    """A row of a duel's CSV: one epoch of each contender. `first` trained first; `pair_seconds` is the total time of the pair.

    a_start, b_start  seconds of each contender's constructor and of a `load`, in this pair
    """

    run_id: str
    machine: str
    job: str
    threads: int
    a: str
    b: str
    stage: str
    pair: int
    round: int
    first: str
    a_seconds: float
    b_seconds: float
    pair_seconds: float
    a_start: float = 0.0
    b_start: float = 0.0


def pair_rows(duel: Duel, stages: Mapping[str, list[Pair]], *, run_id: str, machine: str) -> list[Round]:
    """Return a row for every round of every stage's pairs; pairs count from 1."""
    numbered = ((stage, number, pair) for stage, pairs in stages.items() for number, pair in enumerate(pairs, start=1))
    return [row for stage, number, pair in numbered for row in rows_of(duel, pair, number, stage=stage, run_id=run_id, machine=machine)]


def rows_of(duel: Duel, pair: Pair, number: int, *, stage: str = "", run_id: str, machine: str) -> list[Round]:
    """Return a row for every round of a pair; rounds count from 1."""
    sides = f"{duel.a.name} ({duel.a.code})", f"{duel.b.name} ({duel.b.code})"
    return [
        Round(run_id, machine, duel.title, duel.threads, *sides, stage, number, turn, first, a, b, pair.seconds, pair.a_start, pair.b_start)
        for turn, (first, a, b) in enumerate(zip(pair.order, pair.a, pair.b, strict=True), start=1)
    ]


def all_seconds(pairs: Iterable[Pair], name: str) -> list[float]:
    """Return the seconds of all epochs of contender "a" or "b"."""
    return list(itertools.chain.from_iterable(getattr(pair, name) for pair in pairs))
