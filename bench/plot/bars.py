"""Bar and point charts with one panel per workload and one line per trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.analysis.timings import BASELINE, JobKey, ladder
from bench.plot import style
from bench.plot.palette import colour
from bench.stats.intervals import Interval, Sample
from bench.text.numbers import digits, duration

Panels = Mapping[JobKey, Mapping[str, Sample]]  # trainer -> its epochs
Bars = list[tuple[str, Interval, str]]  # trainer, value, label


def speedup(jobs: Panels, subtitle: str, labels: Mapping[str, str]) -> Figure:
    """Draw the speedup of each trainer over the baseline, for the jobs with a timed baseline. labels: names to show, by trainer"""
    return _bars(jobs, f"Training speedup over the per-example {BASELINE}\n{subtitle}", "speedup (log)", _speedups, labels)


def epoch_time(jobs: Panels, subtitle: str, labels: Mapping[str, str]) -> Figure:
    """Draw the time per epoch of each trainer. labels: names to show, by trainer"""
    return _bars(jobs, f"Time per training epoch\n{subtitle}", "seconds (log)", _times, labels)


def _bars(jobs: Panels, title: str, unit: str, measure: Callable[[Mapping[str, Sample]], Bars], labels: Mapping[str, str]) -> Figure:
    panels = [(job, bars) for job, epochs in jobs.items() if (bars := measure({name: epochs[name] for name in ladder(epochs)}))]
    figure = Figure(figsize=(7.2, 1.3 + sum(0.75 + 0.36 * len(bars) for _, bars in panels)), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[0.75 + 0.36 * len(bars) for _, bars in panels], sharex=True)[:, 0]
    low = min(bar.low for _, bars in panels for _, bar, _ in bars)
    high = max(bar.high for _, bars in panels for _, bar, _ in bars)
    reach = max(high / low, 2.0)
    for axis, (job, bars) in zip(axes, panels, strict=True):
        axis.set_title(style.title(job))
        for position, (name, bar, label) in enumerate(bars):
            shade = "#8c8c8c" if name == BASELINE else colour(name)
            if measure is _speedups:  # a speedup starts at 1; a time has no start on a log axis, so it is a point
                axis.barh(position, bar.value - 1, left=1, height=0.62, color=shade)
            axis.errorbar(
                bar.value, position, xerr=[[bar.value - bar.low], [bar.high - bar.value]], color="black", capsize=4, lw=1.3,
                marker="" if measure is _speedups else style.trainer_style(name)["marker"], mfc=shade, ms=9,
            )  # fmt: skip
            end = max(bar.high, 1) if measure is _speedups else bar.high
            axis.annotate(label, (end, position), xytext=(9, 0), textcoords="offset points", va="center", fontweight="bold")
        axis.set_xscale("log")
        axis.set_xlim(1 if measure is _speedups and low == 1 else low / reach**0.08, high * reach**0.16)
        axis.set_ylim(len(bars) - 0.4, -0.6)
        axis.set_yticks(range(len(bars)), [labels.get(name, name) for name, _, _ in bars])
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if reach < 1000 else (1,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="x", color="#e4e4e4")
        axis.set_axisbelow(True)
    axes[-1].set_xlabel(f"{unit}, median and 95 % interval")
    return figure


def _times(epochs: Mapping[str, Sample]) -> Bars:
    return [(name, bar := sample.interval(), duration(bar.value)) for name, sample in epochs.items()]


def _speedups(epochs: Mapping[str, Sample]) -> Bars:
    if BASELINE not in epochs:
        return []
    base = epochs[BASELINE]
    return [
        (name, bar := base.over(sample) if name != BASELINE else Interval(1, 1, 1), f"{digits(bar.value)}x")
        for name, sample in epochs.items()
    ]
