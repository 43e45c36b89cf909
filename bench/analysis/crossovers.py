"""Crossovers, where one trainer overtakes another: along the batch sizes at one width, and along the widths at one batch size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from bench.analysis.timings import Configuration, JobKey, Timings
from bench.stats.intervals import Interval, Sample

Axis = Literal["batch_size", "width"]
# Axis, then the positions in (width, batch size) of the varying and of the fixed size.
_LINES: tuple[tuple[Axis, int, int], ...] = (("batch_size", 1, 0), ("width", 0, 1))

MOST_PAIRED = 30  # trainers; with more, compare only consecutive winners, not every pair


@dataclass(frozen=True)
class Crossing:
    """A point `at` on the axis from which `ahead` stays faster than `behind` to the end of the grid.

    kind   the dtype of the grid, and its data and seed if they are not the default
    fixed  the other size, which is constant along the line
    at     the crossing; its interval ends at measured sizes
    wins   whether `behind` is the fastest of all trainers before the crossing, and `ahead` after it
    """

    configuration: Configuration
    kind: str
    axis: Axis
    fixed: int
    behind: str
    ahead: str
    at: Interval
    wins: bool

    @property
    def line(self) -> str:
        """The axis, the fixed size and the kind, as text."""
        line = f"batch size, at {self.fixed} hidden units" if self.axis == "batch_size" else f"hidden units, at batch size {self.fixed}"
        return f"{line}, {self.kind}"

    def __str__(self) -> str:
        return f"{self.ahead} overtakes {self.behind} {self.about}"

    @property
    def about(self) -> str:
        """The size at which they cross, as text: near 40 (10 to 100)."""
        return f"{near(self.at.value)} ({self.at.low:,.0f} to {self.at.high:,.0f})"


Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
Grid = Mapping[tuple[int, int], JobKey]  # (width, batch size) -> job


def grids(timings: Timings) -> dict[tuple[Configuration, str], Grid]:
    """Return the grids of each configuration, one per kind of job. If a cell has several jobs, the one with the most examples is used."""
    by_kind: dict[tuple[Configuration, str], dict[tuple[int, int], JobKey]] = {}
    for job in sorted(timings.jobs, key=lambda job: job.examples):
        if job.width is not None:
            for configuration in timings.of(job):
                by_kind.setdefault((configuration, job.kind), {})[job.width, job.batch_size] = job
    order = {configuration: position for position, configuration in enumerate(timings.configurations)}
    return {key: dict(sorted(by_kind[key].items())) for key in sorted(by_kind, key=lambda key: (order[key[0]], key[1]))}


def lines(grid: Grid) -> Iterator[tuple[Axis, int, dict[int, JobKey]]]:
    """Yield each row and column of the grid: its axis, its fixed size, and its jobs by the varying size."""
    for axis, moving, still in _LINES:
        for fixed in sorted({cell[still] for cell in grid}):
            yield axis, fixed, {cell[moving]: job for cell, job in grid.items() if cell[still] == fixed}


def crossings(timings: Timings) -> list[Crossing]:
    """Return the points on each configuration's grids where one trainer overtakes another and stays faster. Noisy cases are left out."""
    return [
        crossing
        for (configuration, kind), grid in grids(timings).items()
        for axis, fixed, line in lines(grid)
        for crossing in _along(configuration, kind, axis, fixed, {x: timings.calm(job, configuration) for x, job in line.items()})
    ]


def _along(configuration: Configuration, kind: str, axis: Axis, fixed: int, line: Mapping[int, Mapping[str, Sample]]) -> Iterator[Crossing]:
    line = {x: cell for x, cell in line.items() if cell}
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
        at = overtaking({at: line[at][behind].over(line[at][ahead]) for at in x})
        if at is not None:
            before, after = max(size for size in x if size <= at.value), min(size for size in x if size >= at.value)
            wins = (fastest[before], fastest[after]) == (behind, ahead)
            yield Crossing(configuration, kind, axis, fixed, behind, ahead, at, wins)


def overtaking(lead: Mapping[int, Interval]) -> Interval | None:
    """Return the x from which a lead stays above 1, with the interval that certainly contains it. Return None if there is none for certain.

    lead  the ratio of the slower epoch at the last x to the faster one, by x, ascending

    The interval begins at the last x with a lead certainly below 1. It ends at the next with one certainly above 1, from which on the lead
    stays above 1. Between measured
    sizes, nothing is known about the shape of the curves, so an interval of the interpolated value would be too narrow. Between them,
    the value is where the lead crosses 1 for the last time, interpolated linearly on log axes.
    """
    x = list(lead)
    below = max((i for i, at in enumerate(x) if lead[at].high < 1), default=None)
    ahead = [] if below is None else [i for i in range(below + 1, len(x)) if all(lead[at].value > 1 for at in x[i:])]
    above = next((i for i in ahead if lead[x[i]].low > 1), None)
    if below is None or above is None:
        return None
    last = max(i for i in range(below, above) if lead[x[i]].value <= 1)
    low, high = (math.log(lead[x[i]].value) for i in (last, last + 1))
    value = math.exp(math.log(x[last]) + (-low / (high - low)) * math.log(x[last + 1] / x[last]))
    return Interval(value, x[below], x[above])


def near(x: float) -> str:
    """Return an interpolated size as text, with one digit, because no more is known."""
    return f"near {float(f'{x:.1g}'):,.0f}"


def line_crossings(a: Curve, b: Curve) -> list[tuple[float, float, bool]]:
    """Return every point where the curves a and b cross: x, y, and whether b is above a after it.

    a, b  each (x, y), two arrays of the same length
    Interpolates linearly on log axes between neighbouring points that both curves have, so the result is where the drawn lines cross.
    `crossings` returns where a trainer stays faster, with an interval.
    """
    x = np.intersect1d(a[0], b[0])
    log_a, log_b = (np.log(curve[1][np.isin(curve[0], x)]) for curve in (a, b))
    lead, crossings = log_b - log_a, []
    for i in np.flatnonzero(lead[:-1] * lead[1:] < 0):
        share = lead[i] / (lead[i] - lead[i + 1])
        log_x = np.log(x[i]) + share * np.log(x[i + 1] / x[i])
        crossings.append((float(np.exp(log_x)), float(np.exp(log_a[i] + share * (log_a[i + 1] - log_a[i]))), bool(lead[i + 1] > 0)))
    return crossings
