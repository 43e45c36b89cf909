"""Text that fits: its width in inches, line breaks, and the room that labels beside points need."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

_POINTS = 72  # per inch
_BREAK = re.compile(r"(?<=\s)|(?<=[\-_/:.])(?=[^\W\d])")  # not in 784-30-10, nor in 50,000
_PAD = 0.2  # inches between a point and its label, and after the label


@lru_cache(maxsize=4096)  # a chart measures the same names in each panel
def width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of a text of one line in inches. size: of the font, in points"""
    font = FontProperties(size=size, weight="bold" if bold else "normal")
    return float(text_to_path.get_text_width_height_descent(text, font, False)[0]) / _POINTS


def wrapped(text: str, inches: float, size: float, *, bold: bool = False) -> str:
    """Return the text with line breaks, so that no line is wider than that. Lines end after spaces, and before a letter after hyphens,
    dots and the like.

    A piece that is too wide by itself is divided anywhere.
    """
    return "\n".join(line for part in text.split("\n") for line in _lines(part, inches, size, bold))


def _lines(text: str, inches: float, size: float, bold: bool) -> Iterator[str]:
    line = ""
    for piece in _BREAK.split(text):
        if line and width((line + piece).rstrip(), size, bold=bold) > inches:
            yield line.rstrip()
            line = ""
        line += piece
        while width(line.rstrip(), size, bold=bold) > inches and len(line) > 1:
            cut = max((n for n in range(1, len(line)) if width(line[:n], size, bold=bold) <= inches), default=1)
            yield line[:cut]
            line = line[cut:]
    yield line.rstrip()


def cropped(text: str, inches: float, lines: int, size: float, *, bold: bool = False) -> str:
    """Return the text on at most that many lines. A longer text loses its middle: the ends of names distinguish them."""
    shown = wrapped(text, inches, size, bold=bold)
    kept = len(text)
    while shown.count("\n") >= lines and kept > 1:
        kept -= 1
        shown = wrapped(f"{text[: (kept + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - kept // 2 :]}", inches, size, bold=bold)
    return shown


def right_end(low: float, labels: Iterable[tuple[float, str]], inches: float, size: float) -> float:
    """Return where a log axis must end, so that each bold label to the right of its point is inside the axis.

    low     where the axis starts
    labels  (position of the point, its label)
    inches  width of the axis
    """
    ends = [low]
    for position, label in labels:
        free = max(1 - (width(label, size, bold=True) + 2 * _PAD) / inches, 0.05)
        ends.append(low * (position / low) ** (1 / free))
    return max(ends)


def thinned(sizes: Sequence[int], inches: float, size: float) -> list[str]:
    """Return a label for each of the sizes, ascending, on a log axis: an empty one where it would meet the label before it."""
    labels: list[str] = []
    unit = inches / max(math.log(sizes[-1] / sizes[0]), 1e-9)
    free = -math.inf  # where the last label ends
    for number in sizes:
        text = f"{number:,}"
        at, half = unit * math.log(number / sizes[0]), width(text, size) / 2 + 0.03
        labels.append(text if at - half >= free else "")
        free = at + half if labels[-1] else free
    return labels
