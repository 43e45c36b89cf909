"""Texts that fit a width: titles and names, wrapped by their size on paper."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

_TITLE_SIZE = 12
_TITLE_START = 0.01  # of the figure's width
_POINTS = 72  # per inch
_HINTING = 1.04  # a text on the screen is up to that much wider than its outline


def width(text: str, *, size: float = 10, weight: str = "normal") -> float:
    """Return the width of the longest line in inches."""
    font = FontProperties(size=size, weight=weight)
    points = (text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.splitlines())
    return max(points, default=0.0) * _HINTING / _POINTS


def wrapped(text: str, inches: float, *, size: float = 10, weight: str = "normal") -> str:
    """Break the lines of a text so that none is wider. Lines break at spaces and hyphens, and a longer word anywhere.

    size, weight  of the font, size in points
    """
    lines = text.splitlines()
    for letters in range(max(map(len, lines), default=0), 0, -1):
        fitting = "\n".join(part for line in lines for part in textwrap.wrap(line, letters) or [""])
        if width(fitting, size=size, weight=weight) <= inches:
            return fitting
    return text


def shortened(text: str, inches: float, *, size: float = 10, weight: str = "normal") -> str:
    """Return the first line of the wrapped text, with an ellipsis if that is not all of it."""
    first, *more = wrapped(text, inches, size=size, weight=weight).splitlines() or [""]
    return f"{first}…" if more else first


def headline(figure: Figure, text: str) -> None:
    """Give the figure a title at its left end, as wide as the figure. The figure becomes taller by the lines that it adds to two."""
    across, height = figure.get_size_inches()
    title = wrapped(text, float(across) * (1 - 2 * _TITLE_START), size=_TITLE_SIZE)
    figure.suptitle(title, x=_TITLE_START, ha="left", fontsize=_TITLE_SIZE)
    more = max(0, title.count("\n") - 1)
    figure.set_size_inches(across, height + more * 1.3 * _TITLE_SIZE / _POINTS)
