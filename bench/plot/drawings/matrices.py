"""Matrices as tables of coloured cells."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from bench.plot.style import ink

IMAGES = ("#0072B2", "#F0B428", "#009E73", "#CC79A7")  # a colour for each image; their greys differ, too
PLAIN, DARKER = "#ececec", "#cfcfcf"


def subscript(number: int) -> str:
    """Return the number in subscript digits."""
    return "".join(chr(ord("₀") + int(digit)) for digit in str(number))


def draw_matrix(
    axes: Axes, left: float, top: float, name: str, colours: Sequence[Sequence[str]], *, size: float = 1.0, indexed: bool = True
) -> None:
    """Draw a matrix whose upper left corner is at (left, top), each cell with its name and indices.

    colours  of the cells, row by row
    size     of a cell, in the axes' units
    indexed  whether cells have names
    """
    for i, row in enumerate(colours):
        for j, colour in enumerate(row):
            x, y = left + j * size, top - (i + 1) * size
            axes.add_patch(Rectangle((x, y), size, size, facecolor=colour, edgecolor="white", linewidth=1.5))
            if indexed:
                index = subscript(i + 1) + (subscript(j + 1) if len(row) > 1 or name != "b" else "")
                axes.text(x + size / 2, y + size / 2, name + index, ha="center", va="center", color=ink(colour), fontsize=12)


def outline(axes: Axes, left: float, top: float, width: float, height: float) -> None:
    """Draw a frame around a part of a matrix."""
    axes.add_patch(Rectangle((left, top - height), width, height, facecolor="none", edgecolor="black", linewidth=2.4, zorder=3))


def blank(axes: Axes, width: float, height: float) -> None:
    """Hide the axes, and limit them to `width` by `height` units, with one scale for both directions."""
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    axes.set_aspect("equal")
    axes.axis("off")
