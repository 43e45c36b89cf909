"""Chart of a run over several ranks: speedup and efficiency against the number of ranks, and the ideal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from bench.analysis.scaling import Scaling, scalings
from bench.plot import fitting, style

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from bench.analysis.timings import JobKey, Timings

_WIDTH, _PANEL, _ROW = 10.0, 3.8, 2.9  # inches of the figure; of a panel's axes; of a job
_SPREAD = 0.04  # of the axis of ranks, over which the points at one number of ranks are drawn beside each other
_DASHES = {"strong": "-", "weak": "--"}


def several_ranks(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return a mask of the rows of runs over several ranks. It includes their rows over one rank, which are the reference."""
    return rows.groupby("run_id", sort=False)["ranks"].transform("max") > 1


def draw(times: Timings, subtitle: str) -> Figure:
    """Draw a run over several ranks, which has a configuration for each number of ranks. Each job has a row of two panels."""
    jobs: dict[JobKey, list[Scaling]] = {}
    for one in scalings(times):
        jobs.setdefault(one.job, []).append(one)
    titles = {job: fitting.wrapped(style.title(job), _WIDTH / 2 - 0.6, style.TITLE) for job in jobs}
    heights = [_ROW + 0.18 * title.count("\n") for title in titles.values()]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    style.heading(
        figure, "Scaling over ranks: speedup and efficiency", f"{subtitle}\nsolid: strong scaling · dashed: weak · dotted: the ideal"
    )
    sizes = sorted({configuration.ranks for configuration in times.configurations})
    rows = figure.subplots(len(jobs), 2, squeeze=False, height_ratios=heights)
    for (job, lines), (speed, efficiency) in zip(jobs.items(), rows, strict=True):
        speed.plot([1, sizes[-1]], [1, sizes[-1]], color="#8c8c8c", ls=":")
        efficiency.axhline(1, color="#8c8c8c", ls=":")
        for position, line in enumerate(lines):
            beside = sizes[-1] ** (_SPREAD * (position / max(1, len(lines) - 1) - 0.5))
            _draw_line(speed, line, beside, per_rank=False)
            _draw_line(efficiency, line, beside, per_rank=True)
        speed.set_title(titles[job])
        speed.set_ylabel("speedup over one rank")
        speed.set_yscale("log", base=2)
        speed.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        efficiency.set_title("efficiency: speedup / ranks")
        efficiency.set_ylim(0, max(1.1, efficiency.get_ylim()[1]))
        efficiency.yaxis.set_major_formatter(PercentFormatter(1.0))
        for axis in (speed, efficiency):
            axis.set_xscale("log", base=2)
            axis.set_xticks(sizes, fitting.thinned(sizes, _PANEL, style.TEXT))
            axis.xaxis.set_minor_formatter(NullFormatter())
            axis.set_xlabel("ranks (log)")
            axis.grid(color="#e4e4e4")
            axis.set_axisbelow(True)
    marks = {name: mark for axis in figure.axes for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    style.legend(figure, marks, disturbed=any(point.disturbed for lines in jobs.values() for line in lines for point in line.points))
    return figure


def _draw_line(axis: Axes, line: Scaling, beside: float, *, per_rank: bool) -> None:
    """Draw the speedups of a line, or the efficiencies. beside: factor of the ranks, so that no line covers another"""
    look = style.trainer_style(line.trainer)
    ranks = np.array([point.configuration.ranks for point in line.points], np.float64)
    value, low, high = np.array([point.speedup for point in line.points]).T / (ranks if per_rank else 1)
    axis.errorbar(
        ranks * beside, value, yerr=(value - low, high - value), **look, ls=_DASHES[line.kind], capsize=3, lw=1.5, ms=6,
        label=line.trainer,
    )  # fmt: skip
    noisy = np.array([point.disturbed for point in line.points])
    axis.plot(ranks[noisy] * beside, value[noisy], **style.hollow(look), ms=6)
