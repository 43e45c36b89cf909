"""Throughput over a grid of batch sizes and widths, with the sizes at which one trainer passes another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench import intervals
from bench.crossings import MOST_PAIRED
from bench.format import digits
from bench.plot import style
from bench.setups import ladder
from bench.workload import grid_width


def grid(timing: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one-hidden-layer cases that differ in batch size or width alone, with their width."""
    width = timing["workload"].map(grid_width)
    return timing.assign(width=width)[width.notna()].astype({"width": int})


def throughputs(cells: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Draw the cells of a grid against the batch size, and against the width, where several were timed; yield each with its name."""
    for varied, fixed in (("batch_size", "width"), ("width", "batch_size")):
        if not cells.empty and cells.groupby(fixed)[varied].nunique().max() > 1:
            yield f"throughput-by-{varied.replace('_', '-')}", _curves(cells, varied, fixed)


def _curves(cells: pd.DataFrame, varied: str, fixed: str) -> Figure:
    panels = [(value, rows) for value, rows in cells.groupby(fixed) if rows[varied].nunique() > 1]
    names = {"batch_size": "mini-batch size", "width": "hidden units"}
    figure = Figure(figsize=(max(6.4, 1.2 + 4.4 * len(panels)), 4.6), layout="constrained")
    figure.suptitle(f"Throughput against {names[varied]}\n{style.subtitle(cells)}", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (value, rows) in zip(axes, panels, strict=True):
        curves = {}
        for trainer in ladder(rows["trainer"]):
            points = []
            for x, cell in rows[rows["trainer"] == trainer].groupby(varied):
                epoch = intervals.median(cell["seconds"].to_numpy())
                examples = cell["examples"].iloc[0]
                points.append((float(str(x)), examples / epoch.value, examples / epoch.high, examples / epoch.low))
            x, y, low, high = np.array(points).T
            curves[trainer] = (x, y)
            axis.errorbar(x, y, yerr=(y - low, high - y), **style.look(trainer), capsize=3, lw=1.6, ms=6, label=trainer)
        axis.set_xscale("log")
        axis.set_yscale("log")
        for (first, a), (second, b) in combinations(islice(curves.items(), MOST_PAIRED), 2):
            for x, y, second_leads in _crossings(a, b):
                axis.plot(x, y, "o", ms=14, mfc="none", mec="black", mew=1.4)
                leader, other = (second, first) if second_leads else (first, second)
                label = f"{leader} passes {other}\nat {digits(x)}"
                axis.annotate(label, (x, y), xytext=(9, -26), textcoords="offset points", fontsize=9)
        axis.set_title(f"{value} {names[fixed]}" if fixed == "width" else f"{names[fixed]} {value}")
        ticks = sorted(rows[varied].unique())
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        axis.yaxis.set_minor_locator(LogLocator(subs=range(2, 10)))
        axis.yaxis.set_minor_formatter(style.PlainLog())
        axis.set_xlabel(f"{names[varied]} (log)")
        axis.grid(color="#e4e4e4")
        axis.legend(frameon=False)
    axes[0].set_ylabel("examples per second (log)")
    return figure


def _crossings(a: tuple[Any, Any], b: tuple[Any, Any]) -> list[tuple[float, float, bool]]:
    """Return where curve b overtakes a or falls behind: x, y, and whether b leads from there on.

    Interpolated between neighbouring points that both curves have, as straight lines on log axes.
    """
    x = np.intersect1d(a[0], b[0])
    log_a, log_b = (np.log(curve[1][np.isin(curve[0], x)]) for curve in (a, b))
    lead, found = log_b - log_a, []
    for i in np.flatnonzero(lead[:-1] * lead[1:] < 0):
        share = lead[i] / (lead[i] - lead[i + 1])
        log_x = np.log(x[i]) + share * np.log(x[i + 1] / x[i])
        found.append((float(np.exp(log_x)), float(np.exp(log_a[i] + share * (log_a[i + 1] - log_a[i]))), bool(lead[i + 1] > 0)))
    return found
