"""Ratio of the epoch times in each pair of a duel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.plot import style
from bench.stats import intervals
from bench.text.numbers import counted

if TYPE_CHECKING:
    from bench.paired.duel import Duel
    from bench.paired.pair import Pair

_BLUE = "#0072B2"
_SETS = (("one pair", "o", "black"), ("one pair, measured afresh to confirm", "s", "#D55E00"))
_NEAR = 1.25  # factor of the points' range within which a line of reference belongs on the axis


def draw(duel: Duel, stages: Mapping[str, Sequence[Pair]], ratio: intervals.Interval, margin: float | None = None) -> Figure:
    """Draw the ratio a / b of each pair, and the overall ratio with its interval.

    stages  pairs by stage, in the order of measurement: a gate confirms a slowdown with a second set of pairs
    margin  smallest slowdown that the gate reports, as a share; None: no gate
    """
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    style.heading(figure, f"Epoch time of {duel.a.name} divided by {duel.b.name}", duel.title)
    axis = figure.subplots()
    if ratio.low > 0 and ratio.high < math.inf:
        axis.axhspan(ratio.low, ratio.high, color=_BLUE, alpha=0.2, lw=0, label=f"95 % interval: {ratio.low:.3f} to {ratio.high:.3f}")
    axis.axhline(ratio.value, color=_BLUE, lw=1.6, label=f"ratio: {ratio.value:.3f}")
    values = [ratio.value]
    for pairs, (name, marker, shade) in zip(stages.values(), _SETS, strict=False):
        axis.plot(range(len(values), len(values) + len(pairs)), ratios := [math.exp(pair.log_ratio) for pair in pairs], marker,
                  color=shade, ms=5, label=name)  # fmt: skip
        values += ratios
    references = [(1.0, ":", "equally fast"), *([(1 + margin, "--", f"margin of the gate: {1 + margin:g}")] if margin is not None else [])]
    for reference, dashes, name in references:
        if min(values) / _NEAR < reference < max(values) * _NEAR:
            axis.axhline(reference, color="#555555", lw=1.4, ls=dashes, label=name)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel(f"pair of fresh processes, {counted(duel.threads, 'thread')}")
    axis.set_ylabel("ratio of epoch times")
    axis.grid(axis="y", color="#e4e4e4")
    style.legend(figure, {name: mark for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)}, disturbed=False)
    return figure
