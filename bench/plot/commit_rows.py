"""Rows of commits: each has its name on the left and a note on the right, so that all texts are horizontal, however many there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bench.plot import fitting

WIDTH = 10.0  # inches of a figure with rows
_NAME, _NOTE, _ROW = 3.6, 2.6, 0.21  # inches
_SIZE = 8.5  # of the font
_GREY = "#595959"
_LOG = 3.0  # from this ratio of the largest to the smallest value on, the axis is logarithmic
_DECADE, _DECADES = 10.0, 300.0  # up to the first, more values have a label; from the second on, only powers of ten
_HASH = re.compile("[0-9a-f]{12,}")


class Row(NamedTuple):
    """A row. name: of its commit; empty: a remark between two commits. colour: of the note; strong: whether the note is a result"""

    name: str
    note: str = ""
    colour: str = _GREY
    strong: bool = False


def name(date: str, commit: str, subject: str) -> str:
    """Return the name of a commit: its date, the first digits of its hash, and its subject if that is known."""
    digits, _, changed = commit.partition(" ")
    short = digits[:7] if _HASH.fullmatch(digits) else digits  # a release of a package stands for a commit, too
    return "  ".join(filter(None, (date, f"{short} {changed}".strip(), subject)))


def height(rows: Sequence[Row]) -> float:
    """Return the inches that the rows need. All are as high as the one with the longest note."""
    lines = max(_wrapped(row).count("\n") + 1 for row in rows)
    return _ROW * max(len(rows) * lines, 4)


def _wrapped(row: Row) -> str:
    return fitting.wrapped(row.note, _NOTE, _SIZE, bold=row.strong)


def draw(axis: Axes, rows: Sequence[Row]) -> None:
    """Name the rows of an axis whose data are ratios. Row i is at y = i, the first at the top."""
    named = [number for number, row in enumerate(rows) if row.name]
    axis.set_yticks(named, [fitting.shortened(rows[number].name, _NAME, _SIZE) for number in named], fontsize=_SIZE)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    for number, row in enumerate(rows):
        if not row.name:
            axis.axhline(number, color="#888888", ls=":", lw=1.2)
        weight = "bold" if row.strong else "normal"
        axis.annotate(
            _wrapped(row), (1, number), xycoords=("axes fraction", "data"), xytext=(6, 0),
            textcoords="offset points", va="center", fontsize=_SIZE, fontweight=weight, color=row.colour,
        )  # fmt: skip
    axis.margins(x=0.08)
    low, high = axis.get_xlim()
    if low > 0 and high > _LOG * low:
        axis.set_xscale("log")
        subs = (1,) if high > _DECADES * low else (1, 2, 5) if high > _DECADE * low else (1, 1.5, 2, 3, 5, 7)
        axis.xaxis.set_major_locator(LogLocator(subs=subs))
    else:
        axis.xaxis.set_major_locator(MaxNLocator(5))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}x"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.grid(axis="x", color="#e4e4e4")
    axis.set_axisbelow(True)
