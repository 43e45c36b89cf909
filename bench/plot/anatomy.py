"""Stacked bars of where an epoch's time goes: per trainer, in seconds and in percent."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bench.analysis.timings import JobKey
from bench.anatomy.breakdown import PARTS, Breakdown
from bench.plot import fitting, style
from bench.plot.palette import PART_COLOURS
from bench.text.numbers import duration

# In the order of PARTS. Readers without colour see the order and the hatch.
_HATCHES = ("", "..", "//", "")
_NAMES = (
    "arithmetic: at the peak of a matrix product",
    "memory: at the peak of a copy",
    "calls: overhead of Python, library and launches",
    "rest: caches, small shapes, waiting",
)
_READABLE = 0.08  # of a bar: a smaller part has no number
_NAME_INCHES, _TITLE_INCHES = 2.2, 8.0
_BAR, _LINE = 0.36, 0.18  # inches between two bars, and of a line of a name


def draw(jobs: Mapping[JobKey, Mapping[str, Breakdown]], subtitle: str, noisy: Collection[tuple[JobKey, str]]) -> Figure:
    """Draw a row of two panels for each job: the bars in seconds, and each bar as 100 %. noisy: job and trainer of disturbed cases"""
    names = {job: [_name(trainer, one, noisy=(job, trainer) in noisy) for trainer, one in of.items()] for job, of in jobs.items()}
    titles = {job: fitting.wrapped(style.title(job), _TITLE_INCHES, style.TITLE) for job in jobs}
    heights = [0.9 + 0.2 * titles[job].count("\n") + len(each) * max(_BAR, *(_LINE * (name.count("\n") + 1) for name in each))
               for job, each in names.items()]  # fmt: skip
    figure = Figure(figsize=(10.5, 0.4 + sum(heights)), layout="constrained")
    style.heading(figure, "Where an epoch's time goes", subtitle)
    rows = figure.subplots(len(jobs), 2, squeeze=False, height_ratios=heights)
    for (job, trainers), (seconds, percent) in zip(jobs.items(), rows, strict=True):
        _bars(seconds, trainers, percent=False)
        _bars(percent, trainers, percent=True)
        for axis in (seconds, percent):
            axis.set_yticks(range(len(trainers)), names[job])
        seconds.set_title(titles[job])
        percent.set_yticklabels([])
        longest = max(one.epoch.value for one in trainers.values())
        seconds.set_xlim(0, 1.22 * longest)  # space for the label of the longest bar
        seconds.set_xlabel("seconds")
        seconds.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))  # the last label would meet the first of the other panel
        percent.set_xlim(0, 100)
        percent.set_xlabel("percent of the epoch")
    patches = [
        Patch(facecolor=colour, hatch=hatch, edgecolor="white", label=name)
        for position, (colour, hatch, name) in enumerate(zip(PART_COLOURS, _HATCHES, _NAMES, strict=True))
        if any(one.drawn[position] for trainers in jobs.values() for one in trainers.values())
    ]
    every = [one for trainers in jobs.values() for one in trainers.values()]
    if not all(one.holds for one in every):
        patches.append(Patch(alpha=0, label="* uncertain: the calls have no fixed cost per step and per example"))
    if any(one.overlaps for one in every):
        patches.append(Patch(alpha=0, label="+ parts overlap: they add up to more than the epoch"))
    style.legend(figure, {str(patch.get_label()): patch for patch in patches}, disturbed=False)
    return figure


def _name(trainer: str, one: Breakdown, *, noisy: bool) -> str:
    marks = f"{'' if one.holds else ' *'}{' +' if one.overlaps else ''}"
    return fitting.wrapped(f"{trainer}{marks}{style.DISTURBED if noisy else ''}", _NAME_INCHES, style.TEXT)


def _bars(axis: Axes, trainers: Mapping[str, Breakdown], *, percent: bool) -> None:
    for position, one in enumerate(trainers.values()):
        start, unit = 0.0, 100 / one.epoch.value if percent else 1.0
        for name, length, part, colour, hatch in zip(PARTS, one.drawn, one.seconds, PART_COLOURS, _HATCHES, strict=True):
            axis.barh(position, unit * length, left=unit * start, height=0.66, color=colour, hatch=hatch, edgecolor="white", lw=0)
            share = length / one.epoch.value
            if percent and share >= _READABLE:  # the number is the true one, also in a bar that is shortened because parts overlap
                box = {"facecolor": colour, "edgecolor": "none", "pad": 1.2}  # the hatch must not cross the number
                text = f"{part / one.epoch.value:.0%}" + (f" {name}" if share >= 3.3 * _READABLE else "")
                axis.text(
                    unit * (start + length / 2), position, text, ha="center", va="center", fontsize=9, color=style.ink(colour), bbox=box
                )
            start += length
        if not percent:
            axis.annotate(
                duration(one.epoch.value),
                (one.epoch.value, position),
                xytext=(6, 0),
                textcoords="offset points",
                va="center",
                fontweight="bold",
            )
    axis.set_ylim(len(trainers) - 0.4, -0.6)
    axis.grid(axis="x", color="#e4e4e4")
    axis.set_axisbelow(True)
