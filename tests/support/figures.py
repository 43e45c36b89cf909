"""Figures of CSVs, and what a reader sees in them."""

from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from bench import records
from bench.plot import charts


def figures(*paths) -> dict[str, list[Figure]]:
    """Return the figures of these CSVs: name -> list of figures."""
    figures: dict[str, list[Figure]] = {}
    for name, figure in charts.figures(records.read(paths)):
        figures.setdefault(name, []).append(figure)
    return figures


def notes(axis: Axes) -> list[str]:
    """Return the texts inside the axes."""
    return [text.get_text() for text in axis.texts]


def hollow_points(axis: Axes) -> list[tuple[float, float]]:
    """Return the points with a white face, as (x, y)."""
    marks = [line for line in axis.lines if line.get_marker() not in ("", "None", None) and to_hex(line.get_markerfacecolor()) == "#ffffff"]
    return [(float(x), float(y)) for mark in marks for x, y in zip(*mark.get_data(), strict=True)]
