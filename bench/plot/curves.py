"""Throughput by batch size and by width, with the points at which one trainer overtakes another."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, count, islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.analysis.crossovers import MOST_PAIRED, Axis, Grid, line_crossings, lines, near
from bench.analysis.timings import Configuration, JobKey, Timings, ladder
from bench.plot import fitting, style

_COLUMNS, _WIDTH = 3, 10  # panels in a row; inches of the figure, for a PNG of 1,600 pixels
_PANEL = (2.6, 2.5)  # inches of a panel's axes
_SIZE = 9  # points of ticks, crossings and their list
_MOST_CIRCLED = 9  # crossings of a panel; if there are more, only those of the fastest trainer are circled
_APART = 16  # points between the numbers of two crossings
_NAMES = {"batch_size": "mini-batch size", "width": "hidden units"}

Floats = npt.NDArray[np.float64]


class Curve(NamedTuple):
    """A trainer's line: sizes, examples per second with the ends of their intervals, and whether they were disturbed. Each (points,)"""

    x: Floats
    y: Floats
    low: Floats
    high: Floats
    disturbed: npt.NDArray[np.bool_]

    def interval(self, x: float) -> tuple[float, float]:
        """Return the interval at a measured size. A disturbed point says nothing."""
        (at,) = np.flatnonzero(self.x == x)
        return (0.0, math.inf) if self.disturbed[at] else (float(self.low[at]), float(self.high[at]))

    def log(self, x: float) -> float:
        """Return the logarithm of the line at any size, without disturbed points. It is negative infinity outside of the line."""
        calm = ~self.disturbed
        return float(np.interp(np.log(x), np.log(self.x[calm]), np.log(self.y[calm]), -math.inf, -math.inf)) if calm.any() else -math.inf


class Circle(NamedTuple):
    """A crossing to circle, and its line in the list."""

    x: float
    y: float
    text: str


def throughputs(times: Timings, configuration: Configuration, grid: Grid, subtitle: str) -> Iterator[tuple[str, Figure]]:
    """Yield (name, figure): a configuration's throughput by batch size, and by width, if several sizes were timed."""
    along: dict[Axis, dict[int, dict[str, Curve]]] = {}
    for axis, fixed, line in lines(grid):
        if len(line) > 1:
            along.setdefault(axis, {})[fixed] = _measured(times, configuration, line)
    for axis, panels in along.items():
        yield f"throughput-by-{axis.replace('_', '-')}", _draw(axis, panels, subtitle)


def _measured(times: Timings, configuration: Configuration, line: Mapping[int, JobKey]) -> dict[str, Curve]:
    """Return the curves of one panel by trainer. line: the job by size"""
    curves = {}
    for trainer in times.trainers():
        cases = {x: (configuration, job, trainer) for x, job in sorted(line.items())}
        points = [
            (x, line[x].examples, *times.epochs[case].interval(), case in times.noisy) for x, case in cases.items() if case in times.epochs
        ]
        if points:
            x, examples, value, low, high, disturbed = np.array(points, np.float64).T
            curves[trainer] = Curve(x, examples / value, examples / high, examples / low, disturbed.astype(bool))
    return curves


def _draw(varied: Axis, panels: Mapping[int, Mapping[str, Curve]], subtitle: str) -> Figure:
    columns = min(len(panels), _COLUMNS)
    rows = math.ceil(len(panels) / columns)
    circles = {value: _circles(curves) for value, curves in panels.items()}
    lists = {value: _listed(crossed) for value, crossed in circles.items()}
    lengths = [max(text.count("\n") for text in islice(lists.values(), row * columns, (row + 1) * columns)) for row in range(rows)]
    heights = [_PANEL[1] + 0.75 + 0.16 * length for length in lengths]
    figure = Figure(figsize=(max(6.4, _WIDTH * columns / _COLUMNS), sum(heights)), layout="constrained")
    style.heading(figure, f"Throughput by {_NAMES[varied]}", subtitle)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True, height_ratios=heights)
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, (value, curves) in zip(axes.flat, panels.items(), strict=False):
        _draw_panel(axis, curves)
        axis.set_title(f"{value:,} {_NAMES['width']}" if varied == "batch_size" else f"{_NAMES['batch_size']} {value:,}")
        axis.set_xlabel(f"{_NAMES[varied]} (log){lists[value]}", loc="left", fontsize=_SIZE)
    for axis, crossed in zip(axes.flat, circles.values(), strict=False):
        _draw_circles(axis, crossed)  # after all panels, because they share the limits of an axis
    for axis in axes[:, 0]:
        axis.set_ylabel("examples per second (log)")
    marks = {name: mark for axis in figure.axes for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    disturbed = any(curve.disturbed.any() for curves in panels.values() for curve in curves.values())
    style.legend(figure, {trainer: marks[trainer] for trainer in ladder(marks)}, disturbed=disturbed)
    return figure


def _draw_panel(axis: Axes, curves: Mapping[str, Curve]) -> None:
    for trainer, (x, y, low, high, disturbed) in curves.items():
        axis.errorbar(x, y, yerr=(y - low, high - y), **style.trainer_style(trainer), capsize=3, lw=1.6, ms=6, label=trainer)
        axis.plot(x[disturbed], y[disturbed], **style.hollow(trainer), ms=6, zorder=3)
    sizes = sorted({int(x) for curve in curves.values() for x in curve.x})
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(sizes, fitting.thinned(sizes, 0.9 * _PANEL[0], _SIZE), fontsize=_SIZE)
    axis.xaxis.set_minor_locator(NullLocator())  # sizes between the measured ones mean nothing
    axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
    axis.yaxis.set_minor_locator(LogLocator(subs=range(2, 10)))
    axis.yaxis.set_minor_formatter(style.PlainLog())
    axis.grid(color="#e4e4e4")


def _circles(curves: Mapping[str, Curve]) -> list[Circle]:
    """Return the crossings of a panel to circle, from left to right."""
    found, leading = [], []
    for (first, a), (second, b) in combinations(islice(curves.items(), MOST_PAIRED), 2):
        for x, y, second_leads in line_crossings((a.x, a.y), (b.x, b.y)):
            if _separated(x, a, b):
                leader, other = (second, first) if second_leads else (first, second)
                found.append(Circle(x, y, f"{leader} overtakes {other} {near(x)}"))
                if all(curve.log(x) < math.log(y) + 1e-9 for curve in curves.values()):
                    leading.append(found[-1])
    return sorted(found if len(found) <= _MOST_CIRCLED else leading)


def _listed(circles: Sequence[Circle]) -> str:
    """Return a line for each circle, to write below a panel. Each begins with a line break."""
    lines = (fitting.wrapped(f"{number}: {circle.text}", _PANEL[0] - 0.2, _SIZE) for number, circle in enumerate(circles, start=1))
    return "".join("\n" + line.replace("\n", "\n    ") for line in lines)


def _draw_circles(axis: Axes, circles: Sequence[Circle]) -> None:
    """Number the crossings. The numbers of neighbours are one above another, with a line to the crossing."""
    scales = [_PANEL[i] * 72 / math.log(high / low) for i, (low, high) in enumerate((axis.get_xlim(), axis.get_ylim()))]
    placed: list[tuple[float, float]] = []
    for number, (x, y, _) in enumerate(circles, start=1):
        at = [scale * math.log(value) for scale, value in zip(scales, (x, y), strict=True)]
        step = _APART if y < math.prod(axis.get_ylim()) ** 0.5 else -_APART  # towards the middle of the panel
        up = next(i * step for i in count() if all(math.dist((at[0], at[1] + i * step), other) >= _APART for other in placed))
        placed.append((at[0], at[1] + up))
        axis.annotate(
            str(number), (x, y), xytext=(0, up), textcoords="offset points", ha="center", va="center", fontsize=_SIZE, zorder=5,
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": "black"}, arrowprops={"arrowstyle": "-"} if up else None,
        )  # fmt: skip


def _separated(x: float, one: Curve, other: Curve) -> bool:
    """Return whether the intervals of two lines are disjoint at both measured points beside x; else the lines may not cross."""
    common = sorted({*one.x} & {*other.x})
    after = next(i for i, point in enumerate(common) if point >= x)
    ends = [(*one.interval(point), *other.interval(point)) for point in common[max(after - 1, 0) : after + 1]]
    return all(high < other_low or other_high < low for low, high, other_low, other_high in ends)
