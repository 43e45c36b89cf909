"""Texts that a figure draws, and those of them that a reader cannot read: outside the figure, or over another text."""

from collections.abc import Iterator
from itertools import combinations
from unittest.mock import patch

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

_TOUCH = 1.0  # pixels by which two boxes may overlap: an extent is rounded outwards, and has the font's own margin


def drawn_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Return every text that the figure draws, with its extent in pixels. A tick label outside the axis is not drawn."""
    found: list[Text] = []
    draw = Text.draw

    def record(text: Text, renderer: object) -> None:
        if text.get_visible() and text.get_text().strip():
            found.append(text)
        draw(text, renderer)

    canvas = FigureCanvasAgg(figure)
    with patch.object(Text, "draw", record):
        canvas.draw()
    return [(text.get_text(), text.get_window_extent(canvas.get_renderer())) for text in found]


def unreadable(figure: Figure) -> Iterator[str]:
    """Yield a line for each text outside the figure, and for each pair of texts of which one is over the other."""
    texts = drawn_texts(figure)
    for text, box in texts:
        if box.x0 < -_TOUCH or box.y0 < -_TOUCH or box.x1 > figure.bbox.x1 + _TOUCH or box.y1 > figure.bbox.y1 + _TOUCH:
            yield f"{text!r} is outside the figure"
    for (one, a), (other, b) in combinations(texts, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > _TOUCH and min(a.y1, b.y1) - max(a.y0, b.y0) > _TOUCH:
            yield f"{one!r} is over {other!r}"
