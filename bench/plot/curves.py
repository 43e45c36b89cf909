"""Throughput by batch size and by width, with the points at which one trainer overtakes another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.analysis.crossovers import MOST_PAIRED, Axis, Grid, line_crossings, lines, near
from bench.analysis.timings import Configuration, JobKey, Timings, ladder
from bench.plot import style
from bench.stats.intervals import Sample

Bounds = Mapping[float, tuple[float, float]]  # size -> ends of the interval
Line = Mapping[int, tuple[JobKey, Mapping[str, Sample]]]  # size -> (job, trainer -> its epochs)


def throughputs(times: Timings, configuration: Configuration, grid: Grid, subtitle: str) -> Iterator[tuple[str, Figure]]:
    """Yield (name, figure): a configuration's throughput by batch size, and by width, if several sizes were timed."""
    along: dict[Axis, dict[int, Line]] = {}
    for axis, fixed, line in lines(grid):
        if len(line) > 1:
            along.setdefault(axis, {})[fixed] = {x: (job, times.of(job)[configuration]) for x, job in sorted(line.items())}
    for axis, panels in along.items():
        yield f"throughput-by-{axis.replace('_', '-')}", _curves(axis, panels, subtitle)


def _curves(varied: Axis, panels: Mapping[int, Line], subtitle: str) -> Figure:
    fixed: Axis = "width" if varied == "batch_size" else "batch_size"
    names = {"batch_size": "mini-batch size", "width": "hidden units"}
    figure = Figure(figsize=(max(6.4, 1.2 + 4.4 * len(panels)), 4.6), layout="constrained")
    figure.suptitle(f"Throughput by {names[varied]}\n{subtitle}", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (value, line) in zip(axes, panels.items(), strict=True):
        curves, bounds = {}, {}
        for trainer in ladder(name for _, epochs in line.values() for name in epochs):
            timed = [(x, job.examples, epochs[trainer].interval()) for x, (job, epochs) in line.items() if trainer in epochs]
            x, y, low, high = np.array([(x, n / epoch.value, n / epoch.high, n / epoch.low) for x, n, epoch in timed]).T
            curves[trainer], bounds[trainer] = (x, y), dict(zip(x, zip(low, high, strict=True), strict=True))
            axis.errorbar(x, y, yerr=(y - low, high - y), **style.trainer_style(trainer), capsize=3, lw=1.6, ms=6, label=trainer)
        axis.set_xscale("log")
        axis.set_yscale("log")
        for (first, a), (second, b) in combinations(islice(curves.items(), MOST_PAIRED), 2):
            for x, y, second_leads in line_crossings(a, b):
                if not _separated(x, bounds[first], bounds[second]):
                    continue
                axis.plot(x, y, "o", ms=14, mfc="none", mec="black", mew=1.4)
                leader, other = (second, first) if second_leads else (first, second)
                right = x > np.sqrt(min(line) * max(line))
                axis.annotate(
                    f"{leader}\novertakes {other}\n{near(x)}", (x, y), xytext=(-9 if right else 9, -38),
                    textcoords="offset points", fontsize=9, ha="right" if right else "left",
                )  # fmt: skip
        axis.set_title(f"{value} {names[fixed]}" if fixed == "width" else f"{names[fixed]} {value}")
        axis.set_xticks(list(line), [f"{tick:g}" for tick in line])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        axis.yaxis.set_minor_locator(LogLocator(subs=range(2, 10)))
        axis.yaxis.set_minor_formatter(style.PlainLog())
        axis.set_xlabel(f"{names[varied]} (log)")
        axis.grid(color="#e4e4e4")
        axis.legend(frameon=False)
    axes[0].set_ylabel("examples per second (log)")
    return figure


def _separated(x: float, one: Bounds, other: Bounds) -> bool:
    """Return whether the intervals of two lines are disjoint at both measured points beside x; else the lines may not cross."""
    common = sorted(one.keys() & other.keys())
    after = next(i for i, point in enumerate(common) if point >= x)
    return all(one[point][1] < other[point][0] or other[point][1] < one[point][0] for point in common[max(after - 1, 0) : after + 1])
