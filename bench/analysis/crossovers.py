"""Where a second trainer begins to win: along the batch sizes at one width, and along the widths at one batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.analysis.timings import Configuration, JobKey, Timings
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

    configuration: Configuration
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


Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
Grid = Mapping[tuple[int, int], JobKey]  # (width, batch size) -> what was timed there


def grids(timings: Timings) -> dict[tuple[Configuration, str], Grid]:
    """Return the grids of each configuration, one of each kind of job. Of several jobs in one cell, that with the most examples stands."""
    by_kind: dict[tuple[Configuration, str], dict[tuple[int, int], JobKey]] = {}
    for job in sorted(timings.jobs, key=lambda job: job.examples):
        if job.width is not None:
            for configuration in timings.of(job):
                by_kind.setdefault((configuration, job.kind), {})[job.width, job.batch_size] = job
    order = {configuration: position for position, configuration in enumerate(timings.configurations)}
    return {key: dict(sorted(by_kind[key].items())) for key in sorted(by_kind, key=lambda key: (order[key[0]], key[1]))}


def lines(grid: Grid) -> Iterator[tuple[Axis, int, dict[int, JobKey]]]:
    """Yield the grid's rows and columns: the axis that they lie along, the size that is fixed, and the jobs by the other."""
    for axis, moving, still in _LINES:
        for fixed in sorted({cell[still] for cell in grid}):
            yield axis, fixed, {cell[moving]: job for cell, job in grid.items() if cell[still] == fixed}


def crossings(timings: Timings) -> list[Crossing]:
    """Return where, on each configuration's grids, one trainer passes another and stays ahead."""
    return [
        crossing
        for (configuration, kind), grid in grids(timings).items()
        for axis, fixed, line in lines(grid)
        for crossing in _along(configuration, kind, axis, fixed, {x: timings.of(job)[configuration] for x, job in line.items()})
    ]


def _along(configuration: Configuration, kind: str, axis: Axis, fixed: int, line: Mapping[int, Mapping[str, Sample]]) -> Iterator[Crossing]:
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
            [
                np.log(line[at][behind].draws(seed=2 * position) / line[at][ahead].draws(seed=2 * position + 1))
                for position, at in enumerate(x)
            ],
            axis=1,
        )
        before, after = max(at for at in x if at <= value), min(at for at in x if at >= value)
        wins = (fastest[before], fastest[after]) == (behind, ahead)
        yield Crossing(configuration, kind, axis, fixed, behind, ahead, between(value, _overtaking(x, draws)), (x[0], x[-1]), wins)


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


def line_crossings(a: Curve, b: Curve) -> list[tuple[float, float, bool]]:
    """Return where curve b passes curve a or falls behind, each time: x, y, and whether b leads from there on.

    a, b  each (x, y), two arrays of the same length
    Interpolated between neighbouring points that both curves have, as straight lines on log axes: where the drawn lines cross.
    `crossings` says from where on a trainer stays ahead, and how surely.
    """
    x = np.intersect1d(a[0], b[0])
    log_a, log_b = (np.log(curve[1][np.isin(curve[0], x)]) for curve in (a, b))
    lead, crossings = log_b - log_a, []
    for i in np.flatnonzero(lead[:-1] * lead[1:] < 0):
        share = lead[i] / (lead[i] - lead[i + 1])
        log_x = np.log(x[i]) + share * np.log(x[i + 1] / x[i])
        crossings.append((float(np.exp(log_x)), float(np.exp(log_a[i] + share * (log_a[i + 1] - log_a[i]))), bool(lead[i + 1] > 0)))
    return crossings
