"""Bars and points: one panel a workload, one line a trainer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench import intervals, records
from bench.format import digits, duration
from bench.plot import style
from bench.setups import ladder

BASELINE = "loop"

Bars = list[tuple[str, intervals.Interval, str]]  # trainer, length, label


def speedup(rows: pd.DataFrame) -> Figure:
    """Draw how many times as fast as the baseline each trainer is, of the workloads where that was timed."""
    return _bars(rows, f"Speedup of a training epoch over the per-example {BASELINE}", "times faster (log)", _speedups)


def epoch_time(rows: pd.DataFrame) -> Figure:
    """Draw the time of an epoch."""
    return _bars(rows, "Time of a training epoch", "seconds (log)", _times)


def _bars(rows: pd.DataFrame, title: str, unit: str, measure: Callable[[dict[str, Any]], Bars]) -> Figure:
    jobs = [(job, rows) for job, rows in rows.groupby(list(records.JOB), sort=False)]
    panels = [(rows, bars) for _, rows in jobs if (bars := measure(_seconds(rows)))]
    figure = Figure(figsize=(7.2, 1.3 + sum(0.75 + 0.36 * len(bars) for _, bars in panels)), layout="constrained")
    figure.suptitle(f"{title}\n{style.subtitle(rows)}", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[0.75 + 0.36 * len(bars) for _, bars in panels], sharex=True)[:, 0]
    low = min(bar.low for _, bars in panels for _, bar, _ in bars)
    high = max(bar.high for _, bars in panels for _, bar, _ in bars)
    reach = max(high / low, 2.0)
    for axis, (job, bars) in zip(axes, panels, strict=True):
        axis.set_title(style.job(job.iloc[0]))
        for place, (name, bar, label) in enumerate(bars):
            colour = "#8c8c8c" if name == BASELINE else style.colour(name)
            if measure is _speedups:  # a ratio has a natural start, 1; a time on a log axis has none, so it is a point
                axis.barh(place, bar.value - 1, left=1, height=0.62, color=colour)
            axis.errorbar(
                bar.value, place, xerr=[[bar.value - bar.low], [bar.high - bar.value]], color="black", capsize=4, lw=1.3,
                marker="" if measure is _speedups else style.look(name)["marker"], mfc=colour, ms=9,
            )  # fmt: skip
            axis.annotate(label, (bar.high, place), xytext=(9, 0), textcoords="offset points", va="center", fontweight="bold")
        axis.set_xscale("log")
        axis.set_xlim(1 if measure is _speedups and low == 1 else low / reach**0.08, high * reach**0.16)
        axis.set_ylim(len(bars) - 0.4, -0.6)
        axis.set_yticks(range(len(bars)), [name for name, _, _ in bars])
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if reach < 1000 else (1,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="x", color="#e4e4e4")
        axis.set_axisbelow(True)
    axes[-1].set_xlabel(f"{unit}; median, whisker: 95 % interval")
    return figure


def _times(seconds: dict[str, Any]) -> Bars:
    return [(name, bar := intervals.median(values), duration(bar.value)) for name, values in seconds.items()]


def _speedups(seconds: dict[str, Any]) -> Bars:
    if BASELINE not in seconds:
        return []
    base = seconds[BASELINE]
    return [
        (name, bar := intervals.ratio(base, values) if name != BASELINE else intervals.Interval(1, 1, 1), f"{digits(bar.value)}x")
        for name, values in seconds.items()
    ]


def _seconds(rows: pd.DataFrame) -> dict[str, Any]:
    """Return each trainer's times, (rounds,), in ladder order."""
    return {name: rows.loc[rows["trainer"] == name, "seconds"].to_numpy() for name in ladder(rows["trainer"])}
