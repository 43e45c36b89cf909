"""Ratio of a trainer's epoch time to that of a base, along commits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.paired.revisions import Commit
from bench.plot import style
from bench.plot.palette import colour
from bench.stats.intervals import Interval

_SLOWER, _FASTER = "#D55E00", "#009E73"
_NAMED = 12  # commits whose names fit below the axis


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
    """Draw the ratio of each measured commit with its interval, the level between two steps, and the steps.

    commits  the first is the base
    skipped  numbers of commits that could not be measured, drawn as crosses
    odds     probability of commits to be the next step, drawn as a shade
    """
    figure = Figure(figsize=(8.4, 4.2), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12)
    axis = figure.subplots()
    axis.axhline(1, color="#8c8c8c", lw=1.2, ls="--")
    for number, probability in (odds or {}).items():
        axis.axvspan(number - 0.5, number + 0.5, color=_SLOWER, alpha=0.5 * probability, lw=0)
    starts = [0, *(step.after for step in steps)]
    for start, end in zip(starts, [*starts[1:], len(commits)], strict=True):
        if logs := [math.log(ratios[number].value) for number in ratios if start <= number < end]:
            axis.hlines(math.exp(float(np.median(logs))), start - 0.5, end - 0.5, color=colour(trainer), lw=6, alpha=0.25)
    value, low, high = np.array(list(ratios.values())).T
    axis.errorbar(list(ratios), value, yerr=(value - low, high - value), **style.trainer_style(trainer) | {"ls": "none"}, capsize=3, lw=1.5)
    if skipped:
        axis.plot(sorted(skipped), [1] * len(skipped), "x", color="#555555", ms=7, label="not measurable")
        axis.legend(frameon=False, loc="lower right")
    for step in steps:
        shade = _SLOWER if step.ratio > 1 else _FASTER
        axis.axvspan(step.before + 0.5, step.after - 0.5 + 0.001, color=shade, alpha=0.3, lw=2)
        axis.annotate(
            f"{commits[step.after].short}\n{step.ratio - 1:+.1%}", (step.after - 0.5, 1), xycoords=("data", "axes fraction"),
            xytext=(-4, -4), textcoords="offset points", ha="right", va="top", fontsize=9, fontweight="bold", color=shade,
        )  # fmt: skip
    axis.margins(y=0.3)
    axis.set_xlim(-0.6, len(commits) - 0.4)
    if len(commits) <= _NAMED:
        axis.set_xticks(range(len(commits)), [commit.short[:7] for commit in commits])
    else:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel(f"commits from {commits[0].short} (0) to {commits[-1].short} ({len(commits) - 1})")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}x"))
    axis.set_ylabel(f"epoch time over {commits[0].short[:7]}")
    axis.grid(axis="y", color="#e4e4e4")
    return figure
