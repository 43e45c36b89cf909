"""Ratio of a trainer's epoch time to that of a base, along commits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from bench.paired.revisions import Commit
from bench.plot import commit_rows, style
from bench.plot.commit_rows import Row
from bench.plot.palette import colour
from bench.stats.intervals import Interval
from bench.text.numbers import counted

_SLOWER, _FASTER = "#B34700", "#00734F"  # dark enough to read as text
_LIKELY = 0.01  # a commit with a smaller probability needs no row


class Step(NamedTuple):
    """A change of the level between two commits, by their numbers. ratio: of the time after it to the time before"""

    before: int
    after: int
    ratio: float


def draw(
    title: str,
    trainer: str,
    commits: Sequence[Commit],
    ratios: Mapping[int, Interval],
    steps: Sequence[Step],
    *,
    skipped: Collection[int] = (),
    odds: Mapping[int, float] | None = None,
) -> Figure:
    """Draw a row for each measured commit with its ratio and interval, the level between two steps, and the steps.

    commits  the first is the base
    skipped  numbers of commits that could not be measured, drawn as crosses
    odds     probability of commits to be the next step, drawn as a shade
    """
    likely = {number: probability for number, probability in (odds or {}).items() if probability >= _LIKELY}
    rows, places = _rows(commits, sorted({0, *ratios, *skipped, *likely, *(step.after for step in steps)}), steps, skipped)
    figure = Figure(figsize=(commit_rows.WIDTH, 0.9 + commit_rows.height(rows)), layout="constrained")
    style.heading(figure, title)
    axis = figure.subplots()
    axis.axvline(1, color="#8c8c8c", lw=1.2, ls="--")
    for number, probability in likely.items():
        axis.axhspan(places[number] - 0.5, places[number] + 0.5, color=_SLOWER, alpha=0.5 * probability, lw=0)
    starts = [0, *(step.after for step in steps)]
    for start, end in zip(starts, [*starts[1:], len(commits)], strict=True):
        if logs := {number: math.log(ratio.value) for number, ratio in ratios.items() if start <= number < end}:
            level = math.exp(float(np.median(list(logs.values()))))
            axis.vlines(level, places[min(logs)] - 0.5, places[max(logs)] + 0.5, color=colour(trainer), lw=6, alpha=0.25)
    value, low, high = np.array(list(ratios.values())).T
    axis.errorbar(
        value, [places[number] for number in ratios], xerr=(value - low, high - value), **style.trainer_style(trainer), ls="none",
        capsize=3, lw=1.5,
    )  # fmt: skip
    axis.plot([1] * len(skipped), [places[number] for number in skipped], "x", color="#555555", ms=7)
    for step in steps:
        axis.axhspan(places[step.after] - 0.5, places[step.after] + 0.5, color=_shade(step), alpha=0.15, lw=0)
    commit_rows.draw(axis, rows)
    axis.set_xlabel(f"epoch time over that at {commits[0].short[:7]}; further to the right: slower")
    return figure


def _rows(
    commits: Sequence[Commit], shown: Sequence[int], steps: Sequence[Step], skipped: Collection[int]
) -> tuple[list[Row], dict[int, int]]:
    """Return a row for each shown commit and for each gap between two of them, and the number of each commit's row."""
    notes = {number: Row("", "not measurable") for number in skipped}
    notes |= {step.after: Row("", _note(step), _shade(step), strong=True) for step in steps}
    rows: list[Row] = []
    places: dict[int, int] = {}
    last = -1
    for number in shown:
        if number > last + 1:
            rows.append(Row("", f"{counted(number - last - 1, 'commit')} not measured"))
        places[number], last = len(rows), number
        commit = commits[number]
        rows.append(notes.get(number, Row(""))._replace(name=commit_rows.name(commit.date, commit.hash, commit.subject)))
    if last < len(commits) - 1:
        rows.append(Row("", f"{counted(len(commits) - 1 - last, 'commit')} not measured"))
    return rows, places


def _note(step: Step) -> str:
    several = step.after - step.before
    return f"{step.ratio - 1:+.1%}" + (f", in one of {counted(several, 'commit')}" if several > 1 else "")


def _shade(step: Step) -> str:
    return _SLOWER if step.ratio > 1 else _FASTER
