"""Epoch times by commit, relative to the first commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from bench.analysis.history import Course, History, Point, commits
from bench.plot import commit_rows, fitting, style
from bench.plot.commit_rows import Row
from bench.text.numbers import digits, duration

_COLUMNS = 2  # of a legend
_LEGEND_INCHES = commit_rows.WIDTH / _COLUMNS - 0.9
_LEGEND_SIZE = 9
_LINE = 0.19  # inches of a line of the legend
_SPREAD = 0.8  # of a row, over which the trainers are drawn beside each other

Place = tuple[str, str]  # of a commit in the order of time: its start and hash


def draw(answer: History, subjects: Mapping[str, str]) -> Figure:
    """Draw one panel per job and machine and one line per trainer and environment. Circle the commits that changed a trainer's speed.

    subjects  the first line of the message of each known commit
    """
    panels = [(title, courses, *_rows(courses, subjects)) for title, courses in answer.panels()]
    heights = [1.4 + commit_rows.height(rows) + _legend_height(courses) for _, courses, rows, _ in panels]
    figure = Figure(figsize=(commit_rows.WIDTH, 0.2 + sum(heights)), layout="constrained")
    style.heading(
        figure, "Epoch time by commit, relative to the first commit", "further to the right: slower · circles: changes of the speed"
    )
    parts = figure.subfigures(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
    for part, (title, courses, rows, places) in zip(parts, panels, strict=True):
        part.suptitle(fitting.wrapped(title, commit_rows.WIDTH - 0.3, style.TITLE), x=0.01, ha="left", fontsize=style.TITLE)
        _draw_panel(part, courses, rows, places)
    return figure


def _draw_panel(part: SubFigure, courses: Sequence[Course], rows: Sequence[Row], places: Mapping[Place, int]) -> None:
    axis = part.subplots()
    axis.axvline(1, color="#8c8c8c", lw=1.2, ls="--")
    for course, beside in zip(courses, np.linspace(-_SPREAD / 2, _SPREAD / 2, len(courses) + 2)[1:-1], strict=True):
        look = style.trainer_style(course.trainer)
        for number in dict.fromkeys(point.environment for point in course.points):
            points = [point for point in course.points if point.environment == number]
            y = beside + np.array([places[_place(point)] for point in points])
            value, low, high = np.array([point.over_first.inverse for point in points]).T
            axis.errorbar(value, y, xerr=(value - low, high - value), **look, capsize=3, lw=1.5)
            noisy = np.array([point.disturbed for point in points])
            axis.plot(value[noisy], y[noisy], **style.hollow(look))
        changed = [point for point in course.points if point.change]
        circled = [point.over_first.inverse.value for point in changed]
        axis.plot(circled, [beside + places[_place(point)] for point in changed], "o", ms=15, mfc="none", mec="black", mew=1.5, zorder=5)
    commit_rows.draw(axis, rows)
    axis.set_xlabel("epoch time over that at the first commit")
    part.legend(handles=_legend(courses), frameon=False, loc="outside lower left", ncols=_COLUMNS, fontsize=_LEGEND_SIZE)


def _rows(courses: Sequence[Course], subjects: Mapping[str, str]) -> tuple[list[Row], dict[Place, int]]:
    """Return a row for each commit and for each change of the environment, and the number of each commit's row."""
    rows: list[Row] = []
    numbers: dict[Place, int] = {}
    for place, marks in commits(courses).items():
        started_at, commit = place
        rows += [Row("", f"now {mark.now}") for mark in marks]
        numbers[place] = len(rows)
        name = commit_rows.name(started_at[:10], commit, subjects.get(commit.partition(" ")[0], ""))
        changes = sorted(
            ((max(point.change.value, 1 / point.change.value), point.change.value > 1, course.trainer)
             for course in courses for point in course.points if point.change and _place(point) == place),
            reverse=True,
        )  # fmt: skip
        note = "\n".join(f"{digits(times)}x {'faster' if faster else 'slower'}: {trainer}" for times, faster, trainer in changes)
        rows.append(Row(name, note, "black", strong=True))
    return rows, numbers


def _place(point: Point) -> Place:
    return point.started_at, point.commit


def _names(courses: Iterable[Course]) -> list[str]:
    """Return the text of each course in the legend: its trainer, and the seconds of the first commit in each environment."""
    names = []
    for course in courses:
        firsts = {point.environment: duration(point.epoch.value * point.over_first.value) for point in course.points}
        name = f"{course.trainer} (1x: {', then '.join(firsts.values())})"
        names.append(fitting.wrapped(name, _LEGEND_INCHES, _LEGEND_SIZE))
    return names


def _legend(courses: Sequence[Course]) -> list[Line2D]:
    lines = [
        Line2D([], [], **style.trainer_style(course.trainer), label=name) for course, name in zip(courses, _names(courses), strict=True)
    ]
    noisy = any(point.disturbed for course in courses for point in course.points)
    return [*lines, *([style.hollow_entry()] if noisy else [])]


def _legend_height(courses: Sequence[Course]) -> float:
    lines = sum(name.count("\n") + 1 for name in _names(courses)) + 1
    return _LINE * lines / _COLUMNS
