"""Bar and point charts with one panel per workload and one line per trainer."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.timings import BASELINE, JobKey, ladder
from bench.plot import fitting, style
from bench.plot.palette import colour
from bench.stats.intervals import Interval, Sample
from bench.text.numbers import digits, duration

_WIDTH = 7.2  # inches of the figure
_NAME = 2.0  # inches for the name of a trainer; a longer one gets several lines
_SIZE = 10  # points

Panels = Mapping[JobKey, Mapping[str, Sample]]  # trainer -> its epochs
Disturbed = Collection[tuple[JobKey, str]]  # the cases to draw hollow: (job, trainer)


class Bar(NamedTuple):
    """A line of a panel. end: where the label begins, to the right of everything else on the line"""

    trainer: str
    value: Interval
    end: float
    label: str


def speedup(jobs: Panels, subtitle: str, labels: Mapping[str, str], disturbed: Disturbed = ()) -> Figure:
    """Draw the speedup of each trainer over the baseline, for the jobs with a timed baseline. labels: names to show, by trainer

    If the baseline is disturbed, every speedup over it is.
    """
    disturbed = {*disturbed, *((job, trainer) for job, timed in jobs.items() if (job, BASELINE) in disturbed for trainer in timed)}
    figure, panels = _panels(jobs, f"Training speedup over the per-example {BASELINE}", subtitle, _speedups, labels, disturbed)
    for axis, job, bars in panels:
        axis.axvline(1, color="black", lw=1.3, ls="--" if (job, BASELINE) in disturbed else "-")
        for position, (trainer, bar, *_) in enumerate(bars):
            if trainer != BASELINE:  # the line at 1 is the baseline's bar
                face = "white" if (job, trainer) in disturbed else colour(trainer)
                axis.barh(position, bar.value - 1, left=1, height=0.62, color=face, edgecolor=colour(trainer), lw=1.5)
                axis.errorbar(bar.value, position, xerr=[[bar.value - bar.low], [bar.high - bar.value]], color="black", capsize=4, lw=1.3)
        axis.set_xlabel("speedup (log), median and 95 % interval")
    return figure


def epoch_time(jobs: Panels, subtitle: str, labels: Mapping[str, str], disturbed: Disturbed = ()) -> Figure:
    """Draw the time per epoch of each trainer. labels: names to show, by trainer"""
    figure, panels = _panels(jobs, "Time per training epoch", subtitle, _times, labels, disturbed)
    for axis, job, bars in panels:
        for position, (trainer, bar, *_) in enumerate(bars):  # a time has no start on a log axis, so it is a point
            look = style.hollow(style.trainer_style(trainer)) if (job, trainer) in disturbed else style.trainer_style(trainer)
            axis.errorbar(
                bar.value, position, xerr=[[bar.value - bar.low], [bar.high - bar.value]], **look,
                ecolor="black", capsize=4, elinewidth=1.3, ms=9, mew=1.5,
            )  # fmt: skip
        axis.set_xlabel("seconds (log), median and 95 % interval")
    return figure


def _panels(
    jobs: Panels,
    name: str,
    subtitle: str,
    measure: Callable[[Mapping[str, Sample]], list[Bar]],
    labels: Mapping[str, str],
    disturbed: Disturbed,
) -> tuple[Figure, list[tuple[Axes, JobKey, list[Bar]]]]:
    """Return a figure with the panels' titles, names, ticks and labels, and for each panel its axes, its job, and what to draw."""
    panels = [
        (job, [bar._replace(label=f"{bar.label}{style.DISTURBED}") if (job, bar.trainer) in disturbed else bar for bar in bars])
        for job, epochs in jobs.items()
        if (bars := measure({trainer: epochs[trainer] for trainer in ladder(epochs)}))
    ]
    every = [bar for _, bars in panels for bar in bars]
    names = {bar.trainer: fitting.wrapped(labels.get(bar.trainer, bar.trainer), _NAME, _SIZE) for bar in every}
    inches = _WIDTH - 0.4 - max(fitting.width(line, _SIZE) for shown in names.values() for line in shown.split("\n"))
    titles = [fitting.wrapped(style.title(job), inches, style.TITLE) for job, _ in panels]
    height = max(0.36, 0.12 + 0.17 * max(shown.count("\n") + 1 for shown in names.values()))
    heights = [0.95 + 0.17 * title.count("\n") + height * len(bars) for title, (_, bars) in zip(titles, panels, strict=True)]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    style.heading(figure, name, subtitle)
    low = min(bar.value.low for bar in every)
    reach = max(max(bar.end for bar in every) / low, 2.0)
    low /= reach**0.06
    high = max(low * reach, fitting.right_end(low, ((bar.end, bar.label) for bar in every), inches, _SIZE))
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    for axis, title, (_, bars) in zip(axes, titles, panels, strict=True):
        axis.set_title(title)
        for position, bar in enumerate(bars):
            axis.annotate(bar.label, (bar.end, position), xytext=(9, 0), textcoords="offset points", va="center", fontweight="bold")
        style.log_axis(axis, low, high)
        axis.set_ylim(len(bars) - 0.4, -0.6)
        axis.set_yticks(range(len(bars)), [names[bar.trainer] for bar in bars])
        axis.grid(axis="x", color="#e4e4e4")
    return figure, [(axis, *panel) for axis, panel in zip(axes, panels, strict=True)]


def _times(epochs: Mapping[str, Sample]) -> list[Bar]:
    return [Bar(name, epoch := sample.interval(), epoch.high, duration(epoch.value)) for name, sample in epochs.items()]


def _speedups(epochs: Mapping[str, Sample]) -> list[Bar]:
    if BASELINE not in epochs:
        return []
    base = epochs[BASELINE]
    others = {name: base.over(sample) for name, sample in epochs.items() if name != BASELINE}
    bars = [Bar(name, ratio, max(ratio.high, 1.0), f"{digits(ratio.value)}x") for name, ratio in others.items()]
    return [Bar(BASELINE, Interval(1, 1, 1), 1.0, f"1x = {BASELINE}"), *bars]
