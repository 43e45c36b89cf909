"""Why a trainer is slower: which part of its epoch grew.

Some pairs of fresh processes measure the parts of an epoch on both sides: the calls, the rest, and the operations of a trainer whose step
is a list of them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from bench.paired.contender import ContenderError
from bench.paired.duel import Duel
from bench.paired.memory_layout import MemoryLayout
from bench.paired.referee import READY
from bench.paired.worker_client import Worker
from bench.stats.intervals import FEWEST
from bench.text.numbers import counted, duration
from bench.text.tables import Table

_MODULE = "bench.anatomy.worker"
_EPOCH, _CALLS, _REST = "epoch", "calls", "rest"


@dataclass(frozen=True)
class Part:
    """A part of an epoch: its median seconds on both sides, and in how many pairs it was longer on the new side."""

    name: str
    base: float
    new: float
    longer: int

    @property
    def difference(self) -> str:
        """The new seconds less the base's."""
        more = self.new - self.base
        return f"{'-' if more < 0 else '+'}{duration(abs(more))}"


@dataclass(frozen=True)
class Growth:
    """The parts of an epoch, the whole first. pairs: their number"""

    parts: Sequence[Part]
    pairs: int

    @property
    def grown(self) -> list[Part]:
        """The parts that were longer in every pair, those that grew most first. Of the operations and their sum, only the operations."""
        inside = [part for part in self.parts if part.longer == self.pairs and part.name != _EPOCH]
        return sorted(inside, key=lambda part: part.base - part.new)

    def sentence(self) -> str:
        """Return what grew, in words."""
        grown = ", ".join(f"{part.name} {part.difference}" for part in self.grown)
        return f"{grown}, in each of {counted(self.pairs, 'pair')}" if grown else "no part grew in every pair"

    def table(self) -> Table:
        """Return the parts as a table."""
        rows = [
            (part.name, duration(part.base), duration(part.new), part.difference, f"{part.longer} of {self.pairs}") for part in self.parts
        ]
        note = "calls: an epoch on a tiny network; rest: the epoch without them"
        return Table("", ["part of an epoch", "base", "new", "difference", "longer in"], rows, [note], numbers=True)

    def plain(self) -> list[dict[str, object]]:
        """Return the parts for JSON, in seconds."""
        return [{"part": part.name, "base": part.base, "new": part.new, "longer": part.longer, "pairs": self.pairs} for part in self.parts]


def growth(match: Duel) -> Growth | None:
    """Measure the parts of an epoch of both contenders, of which `a` is the new one; None if one of them fails."""
    try:
        return compared([_pair(match) for _ in range(FEWEST)])
    except ContenderError:
        return None


def compared(pairs: Sequence[Mapping[str, Mapping[str, float]]]) -> Growth:
    """Return the growth, given the seconds of each part for "a" and "b" in each pair. A part that one side lacks counts as 0 there."""
    sides = [{side: {**parts, _REST: parts[_EPOCH] - parts[_CALLS]} for side, parts in pair.items()} for pair in pairs]
    names = dict.fromkeys((_EPOCH, _CALLS, _REST, *(name for pair in sides for side in ("b", "a") for name in pair[side])))
    found = []
    for name in names:
        base, new = (np.array([pair[side].get(name, 0.0) for pair in sides]) for side in ("b", "a"))
        found.append(Part(name, float(np.median(base)), float(np.median(new)), int((new > base).sum())))
    return Growth(found, len(pairs))


def _pair(match: Duel) -> dict[str, dict[str, float]]:
    layout, found = MemoryLayout.random(), dict[str, dict[str, float]]()
    with ExitStack() as stack:
        workers = {}
        for side, contender in random.sample([("a", match.a), ("b", match.b)], 2):
            workers[side] = stack.enter_context(Worker(contender, match.job, match.threads, layout, module=_MODULE))
            workers[side].reply(READY)
            workers[side].suspend()
        for side, worker in workers.items():
            worker.resume()
            worker.request(do="parts")
            found[side] = worker.reply(READY)
            worker.suspend()
    return found
