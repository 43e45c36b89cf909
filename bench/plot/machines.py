"""Epoch times of several machines side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.analysis.speeds import chosen, with_disturbed
from bench.analysis.timings import Configuration, JobKey, Timings, ladder
from bench.plot import fitting, style
from bench.stats.intervals import Interval
from bench.text.numbers import duration

_WIDTH = 8.4  # inches of the figure
_NAME = 2.6  # inches for the name of a machine; a longer one gets several lines
_SIZE, _LABEL = 10, 9  # points of names, and of the labels of the fastest trainers
_TRAINER = 2.0  # inches for the name of a trainer in a label


class Point(NamedTuple):
    """A trainer's epoch on the best of a machine's configurations. A disturbed one is only used if there is no other."""

    disturbed: bool
    epoch: Interval
    configuration: Configuration


class Row(NamedTuple):
    """A machine's line in a panel: its points by trainer."""

    machine: str
    points: Mapping[str, Point]

    @property
    def fastest(self) -> float:
        """The shortest undisturbed epoch in seconds; infinite if there is none."""
        return min((point.epoch.value for point in self.points.values() if not point.disturbed), default=math.inf)

    @property
    def label(self) -> str:
        """The fastest undisturbed trainer, its epoch, and the configuration if the machine has several. Empty if all are disturbed."""
        for trainer, (_, epoch, configuration) in self.points.items():
            if epoch.value == self.fastest:
                name = fitting.cropped(trainer, _TRAINER, 1, _LABEL, bold=True)
                return f"{name} {duration(epoch.value)}{configuration.label.removeprefix(configuration.machine)}"
        return ""


def draw(times: Timings, jobs: Sequence[JobKey]) -> Figure:
    """Draw one panel per job, one line per machine and one point per trainer. The uppermost machine is the fastest."""
    panels = {job: _rows(times, job) for job in jobs}
    every = [row for rows in panels.values() for row in rows]
    names = {row.machine: fitting.wrapped(row.machine, _NAME, _SIZE) for row in every}
    inches = _WIDTH - 0.4 - max(fitting.width(line, _SIZE) for name in names.values() for line in name.split("\n"))
    titles = {job: fitting.wrapped(job.title, inches, style.TITLE) for job in jobs}
    height = max(0.45, 0.12 + 0.17 * max(name.count("\n") + 1 for name in names.values()))
    heights = [1.1 + 0.17 * titles[job].count("\n") + height * len(rows) for job, rows in panels.items()]
    figure = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
    style.heading(figure, "Time per training epoch, by machine")
    axes = figure.subplots(len(jobs), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    epochs = [point.epoch for row in every for point in row.points.values()]
    low, high = min(epoch.low for epoch in epochs), max(epoch.high for epoch in epochs)
    margin = max(high / low, 2.0) ** 0.05
    ends = ((row.fastest, row.label) for row in every if row.label)
    end = max(high * margin, fitting.right_end(low / margin, ends, inches, _LABEL))
    for axis, (job, rows) in zip(axes, panels.items(), strict=True):
        _draw_panel(axis, rows)
        style.log_axis(axis, low / margin, end)
        axis.set_title(titles[job])
        axis.set_yticks(range(len(rows)), [names[row.machine] for row in rows])
    marks = {label: mark for axis in axes for mark, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    disturbed = any(point.disturbed for row in every for point in row.points.values())
    style.legend(figure, {trainer: marks[trainer] for trainer in ladder(marks)}, disturbed=disturbed)
    return figure


def _rows(times: Timings, job: JobKey) -> list[Row]:
    """Return the lines of a panel, the fastest machine first."""
    points: dict[str, dict[str, Point]] = {}
    mine = times.only(job)
    for (_, trainer), keys in with_disturbed(mine, chosen(mine)).items():
        for machine, key in keys.items():
            points.setdefault(machine, {})[trainer] = Point(key in times.noisy, times.epochs[key].interval(), key[0])
    return sorted((Row(machine, trainers) for machine, trainers in points.items()), key=lambda row: row.fastest)


def _draw_panel(axis: Axes, rows: Sequence[Row]) -> None:
    """Draw the points of each machine, and label its fastest."""
    for line, row in enumerate(rows):
        for trainer, (disturbed, (value, low, high), _) in row.points.items():
            axis.errorbar(value, line, xerr=[[value - low], [high - value]], ls="", **style.trainer_style(trainer), ms=8,
                          ecolor="black", capsize=3, label=trainer)  # fmt: skip
            if disturbed:
                axis.plot(value, line, **style.hollow(style.trainer_style(trainer)), ms=8, mew=1.5)
        place = min(point.epoch.value for point in row.points.values()) if math.isinf(row.fastest) else row.fastest
        label = row.label or style.DISTURBED.strip()
        axis.annotate(label, (place, line), xytext=(-6, 8), textcoords="offset points", fontsize=_LABEL, fontweight="bold")
    axis.set_ylim(len(rows) - 0.5, -0.85)
    axis.set_xlabel("seconds (log), median and 95 % interval")
    axis.grid(axis="both", color="#e4e4e4")
