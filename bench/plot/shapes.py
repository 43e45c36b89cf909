"""Outlines of the trainers' markers as SVG, so that the page draws the same shapes as the charts."""

from __future__ import annotations

import numpy as np
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path

_LETTERS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C", Path.CLOSEPOLY: "Z"}


def svg_path(marker: str | tuple[int, int, int]) -> str:
    """Return the marker's outline as the data of an SVG path, in a square from -1 to 1."""
    style = MarkerStyle(marker)
    outline = style.get_path().transformed(style.get_transform())
    largest = np.abs(outline.vertices).max()
    parts = []
    for points, code in outline.iter_segments(simplify=False):
        letter = _LETTERS[code]
        # SVG's y axis points down.
        places = [f"{x / largest:.2f},{-y / largest:.2f}" for x, y in points.reshape(-1, 2)]
        parts.append(letter if letter == "Z" else letter + " ".join(places))
    return "".join(parts)
