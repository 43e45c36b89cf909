"""Fastest trainer of a case, and the trainers that are tied with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.stats.intervals import Interval, Sample


@dataclass(frozen=True)
class Winner:
    """The trainer with the shortest epoch, its speedup over the second, and the trainers that are tied with it."""

    trainer: str
    second: str | None
    ahead: Interval | None
    level: tuple[str, ...]


def winner(timed: Mapping[str, Sample]) -> Winner:
    """Return the fastest of one or more trainers, and those that are tied with it. timed: the epochs of each trainer"""
    first, *others = sorted(timed, key=lambda trainer: timed[trainer].value)
    ahead = {other: timed[other].over(timed[first]) for other in others}
    level = tuple(other for other in others if ahead[other].low <= 1)
    return Winner(first, others[0] if others else None, ahead[others[0]] if others else None, level)
