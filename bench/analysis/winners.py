"""Fastest trainer of a case, and the trainers that are tied with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.stats.intervals import Interval, Sample
from bench.text.numbers import digits


@dataclass(frozen=True)
class Winner:
    """The trainer with the shortest epoch, its speedup over the second, and the trainers that are tied with it.

    uncertain: whether a disturbed trainer, which does not take part, may be ahead of the second
    """

    trainer: str
    second: str | None
    ahead: Interval | None
    level: tuple[str, ...]
    uncertain: bool

    @property
    def lead(self) -> str:
        """The speedup over the second as text: "1.42x", or "tied"; empty if it is uncertain, or if there is no second."""
        if self.ahead is None or self.uncertain:
            return ""
        return "tied" if self.level else f"{digits(self.ahead.value)}x"


def winner(timed: Mapping[str, Sample], disturbed: Mapping[str, Sample] | None = None) -> Winner:
    """Return the fastest of one or more trainers, and those that are tied with it.

    timed, disturbed: the epochs of the trainers that take part, and of those that were disturbed
    """
    first, *others = sorted(timed, key=lambda trainer: timed[trainer].value)
    ahead = {other: timed[other].over(timed[first]) for other in others}
    level = tuple(other for other in others if ahead[other].low <= 1)
    slowest = timed[others[0] if others else first].value
    uncertain = any(epochs.value < slowest for epochs in (disturbed or {}).values())
    return Winner(first, others[0] if others else None, ahead[others[0]] if others else None, level, uncertain)
