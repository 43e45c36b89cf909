"""Ratio of the epoch times in each pair of a duel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.stats import intervals
from bench.text.numbers import counted

if TYPE_CHECKING:
    from bench.paired.duel import Duel
    from bench.paired.pair import Pair


def draw(duel: Duel, pairs: Sequence[Pair], ratio: intervals.Interval) -> Figure:
    """Draw the ratio a / b of each pair, and the overall ratio with its interval."""
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    figure.suptitle(f"Epoch time of {duel.a.name} divided by {duel.b.name}\n{duel.title}", x=0.01, ha="left", fontsize=12)
    axis = figure.subplots()
    values = [math.exp(pair.log_ratio) for pair in pairs]
    if ratio.low > 0 and ratio.high < math.inf:
        axis.axhspan(ratio.low, ratio.high, color="#0072B2", alpha=0.2, lw=0, label=f"95 % interval: {ratio.low:.3f} to {ratio.high:.3f}")
    axis.axhline(ratio.value, color="#0072B2", lw=1.6, label=f"ratio: {ratio.value:.3f}")
    axis.plot(range(1, len(values) + 1), values, "o", color="black", ms=5, label="one pair")
    if min(*values, ratio.value) / 1.25 < 1 < max(*values, ratio.value) * 1.25:
        axis.axhline(1, color="#8c8c8c", lw=1.2, ls="--", label="equally fast")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel(f"pair of fresh processes, {counted(duel.threads, 'thread')}")
    axis.set_ylabel("ratio of epoch times")
    axis.grid(axis="y", color="#e4e4e4")
    figure.legend(frameon=False, loc="outside lower left", ncols=4, fontsize=9)

    return figure
