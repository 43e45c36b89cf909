"""README.md's first picture: an epoch of `nielsen` on a machine with a GPU, and on one without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench import records
from bench.analysis.timings import BASELINE, timings
from bench.plot import disturbed
from bench.plot.palette import colour
from bench.stats import intervals
from bench.text.numbers import digits, duration

WORKLOAD = "nielsen"
GPU, CPU = "intel-xeon-16-core-nvidia-h200", "amd-epyc-zen5-2-core"  # folders of results/
_PAPER, _INK = "#0d1117", "#e6edf3"  # GitHub's, for readers who prefer a dark page
_DARK: Any = {
    **dict.fromkeys(("figure.facecolor", "axes.facecolor"), _PAPER),
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.titlecolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
}
_LEFT_OUT = ("mpi", "mpi_gpu")  # one process of them is matrix_tuned and gpu_tuned again


def draw(results: Path, *, dark: bool = False) -> Figure:
    """Draw both machines side by side. results: the folder of their folders; dark: whether the page is dark"""
    with mpl.rc_context(_DARK if dark else {}):
        return _draw(results)


def _draw(results: Path) -> Figure:
    figure = Figure(figsize=(9.6, 4.5), layout="constrained")
    figure.suptitle(
        "One training epoch of 784-30-10 on MNIST, mini-batches of 10: how many times as fast as a loop?", x=0.01, ha="left", fontsize=12
    )
    panels = figure.subplots(1, 2, sharex=True)
    lines = [_draw_machine(axes, results / machine / "main.csv") for axes, machine in zip(panels, (GPU, CPU), strict=True)]
    for axes in panels:
        axes.set_ylim(max(lines) - 0.4, -0.6)
    return figure


def _draw_machine(axes: Axes, csv: Path) -> int:
    """Draw a bar for each trainer, and return how many there are."""
    rows = records.read([csv])
    row = rows.iloc[0]
    epochs = {str(name): seconds for name, seconds in rows[rows["workload"] == WORKLOAD].groupby("trainer", sort=False)["seconds"]}
    names = [name for name in epochs if name not in _LEFT_OUT]
    noisy = {trainer for _, job, trainer in timings(rows).noisy if job.workload == WORKLOAD}
    ink, paper = mpl.rcParams["text.color"], mpl.rcParams["axes.facecolor"]
    for position, name in enumerate(names):
        speedup = intervals.ratio(epochs[BASELINE], epochs[name]).value
        look = {"facecolor": paper, "edgecolor": colour(name)} if name in noisy else {"color": colour(name)}
        axes.barh(position, speedup - 1, left=1, height=0.7, **look)
        text = f"{duration(intervals.median(epochs[name]).value)}  {digits(speedup)}x{disturbed.NAMED if name in noisy else ''}"
        axes.annotate(text, (max(speedup, 1), position), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9)
    axes.axvline(1, color=ink, linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(0.25, 6000)
    axes.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    axes.minorticks_off()
    axes.set_yticks(range(len(names)), names)
    axes.set_title(f"{row['gpu'] or 'no GPU'} · {row['cpu']}, {row['cores']} cores")
    axes.set_xlabel("times as fast as loop (log)")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return len(names)
