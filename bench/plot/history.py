"""Epoch times by commit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.analysis.history import History, commits
from bench.plot import style
from bench.plot.palette import colour
from bench.text.numbers import digits


def draw(answer: History) -> Figure:
    """Draw one panel per job and machine and one line per trainer and environment. Circle the commits that changed a trainer's speed."""
    panels = answer.panels()
    figure = Figure(figsize=(8.4, 1.0 + 3.0 * len(panels)), layout="constrained")
    figure.suptitle("Epoch time by commit, with changes circled", x=0.01, ha="left", fontsize=12)
    for axis, (title, courses) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
        places = commits(courses)
        positions = {place: position for position, place in enumerate(places)}
        for course in courses:
            for number in {point.environment: None for point in course.points}:
                compared = [point for point in course.points if point.environment == number]
                x = [positions[point.started_at, point.commit] for point in compared]
                value, low, high = np.array([point.epoch for point in compared]).T
                axis.errorbar(
                    x, value, yerr=(value - low, high - value), **style.trainer_style(course.trainer), capsize=3, lw=1.5,
                    label=None if number else course.trainer,
                )  # fmt: skip
            for point in course.points:
                if point.change:
                    position = positions[point.started_at, point.commit]
                    axis.plot(position, point.epoch.value, "o", ms=16, mfc="none", mec="black", mew=1.5)
                    times = max(point.change.value, 1 / point.change.value)
                    word = f"{digits(times)}x {'faster' if point.change.value > 1 else 'slower'}"
                    axis.annotate(
                        word, (position, point.epoch.value), xytext=(0, 13), textcoords="offset points", ha="center", fontsize=9,
                        fontweight="bold", color=colour(course.trainer), bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
                    )  # fmt: skip
        for position, marks in zip(positions.values(), places.values(), strict=True):
            if marks:
                axis.axvline(position - 0.5, color="#888888", ls=":", lw=1.2)
                axis.annotate(
                    "\n".join(f"now {mark.now}" for mark in marks), (position - 0.5, 0), xycoords=("data", "axes fraction"),
                    xytext=(3, 4), textcoords="offset points", rotation=90, va="bottom", fontsize=7.5, color="#555555",
                )  # fmt: skip
        axis.set_title(title)
        axis.set_yscale("log")
        axis.margins(y=0.2)
        axis.set_xticks(range(len(positions)), [commit[:20] for _, commit in positions], rotation=30 if len(positions) > 6 else 0)
        low, high = axis.get_ylim()
        axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter() if high > 10 * low else FuncFormatter(lambda y, _: f"{y:g}"))
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        axis.set_ylabel("seconds (log)")
        axis.grid(axis="y", color="#e4e4e4")

    return figure
