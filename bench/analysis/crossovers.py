"""Where a second trainer begins to win: along the batch sizes at one width, and along the widths at one batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.analysis.timings import Job, Setup, Timings
from bench.stats.intervals import Interval, Sample, between
from bench.text.numbers import digits

Axis = Literal["batch_size", "width"]
_LINES: tuple[tuple[Axis, int, int], ...] = (("batch_size", 1, 0), ("width", 0, 1))  # which of (width, batch size) moves, and which not

MOST_PAIRED = 30  # trainers of which each is held against each other; of more, only one winner against the next


@dataclass(frozen=True)
class Crossing:
    """From `at` on along the axis, `ahead` is faster than `behind` and stays so to the grid's end.

    kind   the dtype of the grid, and its data and seed if they are unusual
    fixed  the other size, which is the same along the line
    at     an end of its interval may be infinite: then the resamples don't all cross within the grid
    ends   the grid's smallest and largest size along the axis
    wins   whether `behind` is the fastest of all trainers before, and `ahead` after
    """

    setup: Setup
    kind: str
    axis: Axis
    fixed: int
    behind: str
    ahead: str
    at: Interval
    ends: tuple[int, int]
    wins: bool

    @property
    def line(self) -> str:
        """What stays the same, in words."""
        line = f"batch size, at {self.fixed} hidden units" if self.axis == "batch_size" else f"hidden units, at batch size {self.fixed}"
        return f"{line}, {self.kind}"

    def __str__(self) -> str:
        low = digits(self.at.low) if self.at.low > -math.inf else f"below {self.ends[0]}"
        high = digits(self.at.high) if self.at.high < math.inf else f"beyond {self.ends[1]}"
        return f"{self.ahead} passes {self.behind} at {digits(self.at.value)} ({low} to {high})"


Grid = Mapping[tuple[int, int], Job]  # (width, batch size) -> what was timed there


def grids(timings: Timings) -> dict[tuple[Setup, str], Grid]:
    """Return the grids of each setup, one of each kind of job. Of several jobs in one cell, that with the most examples stands."""
    found: dict[tuple[Setup, str], dict[tuple[int, int], Job]] = {}
    for job in sorted(timings.jobs, key=lambda job: job.examples):
        if job.width is not None:
            for setup in timings.of(job):
                found.setdefault((setup, job.kind), {})[job.width, job.batch_size] = job
    order = {setup: place for place, setup in enumerate(timings.setups)}
    return {key: dict(sorted(found[key].items())) for key in sorted(found, key=lambda key: (order[key[0]], key[1]))}


def lines(grid: Grid) -> Iterator[tuple[Axis, int, dict[int, Job]]]:
    """Yield the grid's rows and columns: the axis that they lie along, the size that is fixed, and the jobs by the other."""
    for axis, moving, still in _LINES:
        for fixed in sorted({place[still] for place in grid}):
            yield axis, fixed, {place[moving]: job for place, job in grid.items() if place[still] == fixed}


def crossings(timings: Timings) -> list[Crossing]:
    """Return where, on each setup's grids, one trainer passes another and stays ahead."""
    return [
        crossing
        for (setup, kind), grid in grids(timings).items()
        for axis, fixed, line in lines(grid)
        for crossing in _along(setup, kind, axis, fixed, {x: timings.of(job)[setup] for x, job in line.items()})
    ]


def _along(setup: Setup, kind: str, axis: Axis, fixed: int, line: Mapping[int, Mapping[str, Sample]]) -> Iterator[Crossing]:
    medians = {x: {name: epochs.value for name, epochs in cell.items()} for x, cell in line.items()}
    fastest = {x: min(cell, key=cell.__getitem__) for x, cell in medians.items()}
    trainers = dict.fromkeys(name for cell in line.values() for name in cell)
    winning = ((fastest[x], fastest[after]) for x, after in pairwise(line))
    pairs = combinations(trainers, 2) if len(trainers) <= MOST_PAIRED else dict.fromkeys(pair for pair in winning if pair[0] != pair[1])
    for pair in pairs:
        x = [x for x, cell in line.items() if set(pair) <= set(cell)]
        if len(x) < 2:
            continue
        behind, ahead = sorted(pair, key=medians[x[-1]].__getitem__, reverse=True)
        lead = np.array([[math.log(medians[at][behind] / medians[at][ahead]) for at in x]])
        value = float(_overtaking(x, lead)[0])
        if not math.isfinite(value):
            continue
        draws = np.stack(
            [np.log(line[at][behind].draws(seed=2 * place) / line[at][ahead].draws(seed=2 * place + 1)) for place, at in enumerate(x)],
            axis=1,
        )
        before, after = max(at for at in x if at <= value), min(at for at in x if at >= value)
        wins = (fastest[before], fastest[after]) == (behind, ahead)
        yield Crossing(setup, kind, axis, fixed, behind, ahead, between(value, _overtaking(x, draws)), (x[0], x[-1]), wins)


def _overtaking(x: list[int], lead: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return from which x on each row of `lead`, (draws, len(x)), stays above 0: -inf if it always is, inf if not at the end.

    Between two x the lead is taken as a straight line over log x; it is itself a logarithm.
    """
    log_x = np.log(x)
    behind = lead <= 0
    last = np.where(behind.any(axis=1), len(x) - 1 - behind[:, ::-1].argmax(axis=1), -1)  # where it is behind for the last time
    at = np.clip(last, 0, len(x) - 2)
    rows = np.arange(len(lead))
    low, high = lead[rows, at], lead[rows, at + 1]
    share = np.clip(np.divide(-low, high - low, out=np.zeros_like(low), where=high != low), 0, 1)
    inside = np.exp(log_x[at] + share * (log_x[at + 1] - log_x[at]))
    return np.where(last == -1, -np.inf, np.where(last == len(x) - 1, np.inf, inside))
