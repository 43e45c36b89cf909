"""Chart of a run over several ranks: speedup and efficiency against the number of ranks, and the ideal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from bench.analysis.scaling import Scaling, scalings
from bench.analysis.timings import Timings
from bench.plot import fitting, style
from bench.plot.palette import numbered

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pandas as pd

_GAP = 0.06  # least distance of two labels, as a share of the axis of ranks
_SPREAD = 0.04  # of that axis, over which the points at one number of ranks are drawn beside each other
_NAME_INCHES = 2.4


class _Line(NamedTuple):
    """The strong or weak scaling of a job and trainer. points: ranks, speedup, low and high, (4, n). noisy: which are disturbed, (n,)"""

    name: str
    kind: str
    points: npt.NDArray[np.float64]
    noisy: npt.NDArray[np.bool_]


def several_ranks(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return a mask of the rows of runs over several ranks. It includes their rows over one rank, which are the reference."""
    return rows.groupby("run_id", sort=False)["ranks"].transform("max") > 1


def draw(times: Timings, subtitle: str) -> Figure:
    """Draw a run over several ranks, which has a configuration for each number of ranks."""
    lines = [_line(one) for one in scalings(times)]
    names = [fitting.wrapped(f"{line.name}, {line.kind}", _NAME_INCHES, style.TEXT) for line in lines]
    styles = {name: numbered(position) for position, name in enumerate(dict.fromkeys(line.name for line in lines))}
    legend = 1.6 + 0.22 * sum(name.count("\n") + 1 for name in names)
    figure = Figure(figsize=(11.5, max(4.1, legend)), layout="constrained")
    style.heading(figure, "Scaling over ranks: speedup and efficiency", subtitle)
    speed, efficiency = figure.subplots(1, 2)
    sizes = sorted({configuration.ranks for configuration in times.configurations})
    speed.plot([1, sizes[-1]], [1, sizes[-1]], color="#8c8c8c", ls=":", label="ideal")
    efficiency.axhline(1, color="#8c8c8c", ls=":", label="ideal")
    for position, (line, name) in enumerate(zip(lines, names, strict=True)):
        colour, marker = styles[line.name]
        ranks, value, low, high = line.points
        beside = sizes[-1] ** (_SPREAD * (position / max(1, len(lines) - 1) - 0.5))
        for axis, unit in ((speed, 1), (efficiency, ranks)):
            axis.errorbar(
                ranks * beside, value / unit, yerr=((value - low) / unit, (high - value) / unit), label=name,
                color=colour, marker=marker, ls="--" if line.kind == "weak" else "-", capsize=3, lw=1.5, ms=6,
            )  # fmt: skip
            axis.plot((ranks * beside)[line.noisy], (value / unit)[line.noisy], **style.hollow({"color": colour, "marker": marker}), ms=6)
    for axis, title in ((speed, "speedup over one rank (examples per second)"), (efficiency, "efficiency: speedup / ranks")):
        axis.set_title(title)
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, _labels(sizes))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("ranks (log)")
        axis.grid(color="#e4e4e4")
        axis.set_axisbelow(True)
    speed.set_yscale("log", base=2)
    speed.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    efficiency.set_ylim(0, max(1.1, efficiency.get_ylim()[1]))
    efficiency.yaxis.set_major_formatter(PercentFormatter(1.0))
    handles, labels = efficiency.get_legend_handles_labels()
    notes = [style.hollow_entry()] if any(line.noisy.any() for line in lines) else []
    efficiency.legend([*handles, *notes], [*labels, *(str(note.get_label()) for note in notes)], frameon=False, loc="center left",
                      bbox_to_anchor=(1, 0.5))  # fmt: skip
    return figure


def _labels(sizes: Sequence[int]) -> list[str]:
    """Return the label of each number of ranks; empty where it would meet the label before."""
    labels, last = [], -math.inf
    for size in sizes:
        place = math.log(size, max(2, sizes[-1]))
        labels.append(f"{size:,}" if place - last >= _GAP else "")
        last = place if labels[-1] else last
    return labels


def _line(one: Scaling) -> _Line:
    points = np.array([(point.configuration.ranks, *point.speedup) for point in one.points], np.float64).T
    return _Line(f"{one.job.workload} {one.trainer}", one.kind, points, np.array([point.disturbed for point in one.points]))
