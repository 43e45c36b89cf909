"""Marks of disturbed cases: hollow, with a note in the legend."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

NAMED = " (disturbed)"  # after the name of a disturbed case
_LEGEND = "hollow: disturbed"


def draw_hollow(axis: Axes, x: npt.ArrayLike, y: npt.ArrayLike, *, color: str, marker: Any, ms: float = 6.0) -> None:
    """Draw the hollow marks of disturbed cases, over the full ones of a line. color, marker, ms: as in that line"""
    axis.plot(x, y, ls="", marker=marker, ms=ms, mfc="white", mec=color, mew=1.3, zorder=4)


def entry() -> Line2D:
    """Return the entry of a legend that says what a hollow mark means."""
    return Line2D([], [], ls="", marker="o", mfc="white", mec="black", mew=1.3, label=_LEGEND)
