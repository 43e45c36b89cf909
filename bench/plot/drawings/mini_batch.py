"""A layer's weights as edges of the network and as a matrix, and a mini-batch of images as columns of another."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from bench.plot.drawings.matrices import DARKER, IMAGES, PLAIN, blank, draw_matrix, outline, subscript

_INPUTS, _UNITS = 3, 2
_ROWS = (PLAIN, DARKER)  # of w, a unit each
_EDGES = ("-", (0, (4, 2)))  # of a unit each


def draw() -> Figure:
    """Draw the network of one layer above, and z = w a + b for four images below."""
    figure = Figure(figsize=(6.4, 6.6), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1, 1.05])
    _draw_network(above)
    _draw_product(below)
    return figure


def _draw_network(axes: Axes) -> None:
    blank(axes, 15, 7.2)
    inputs = [(3.2, 5.4 - 2.2 * j) for j in range(_INPUTS)]
    units = [(10.6, 4.5 - 2.6 * i) for i in range(_UNITS)]
    for i, (x, y) in enumerate(units):
        for j, (from_x, from_y) in enumerate(inputs):
            axes.plot([from_x, x], [from_y, y], color="#555555", linestyle=_EDGES[i], linewidth=1.6, zorder=1)
            near = 0.30 if i == 0 else 0.46  # of the way, where no two labels meet
            at = from_x + near * (x - from_x), from_y + near * (y - from_y)
            name = f"w{subscript(i + 1)}{subscript(j + 1)}"
            axes.text(*at, name, ha="center", va="center", fontsize=12, bbox={"facecolor": _ROWS[i], "edgecolor": "none", "pad": 2})
    for j, (x, y) in enumerate(inputs):
        axes.add_patch(Circle((x, y), 0.62, facecolor=IMAGES[0], edgecolor="none", zorder=2))
        axes.text(x, y, f"a{subscript(j + 1)}", color="white", ha="center", va="center", fontsize=12, zorder=3)
    for i, (x, y) in enumerate(units):
        axes.add_patch(Circle((x, y), 0.62, facecolor=IMAGES[0], edgecolor="none", zorder=2))
        axes.text(x, y, f"z{subscript(i + 1)}", color="white", ha="center", va="center", fontsize=12, zorder=3)
        axes.text(x + 0.9, y, f"+ b{subscript(i + 1)}", ha="left", va="center", fontsize=12)
    axes.text(0, 6.9, "One image: a number for each pixel, a weight for each edge", fontsize=12.5, fontweight="bold", va="center")
    axes.text(0, 0.15, "z₁ = w₁₁ a₁ + w₁₂ a₂ + w₁₃ a₃ + b₁, and z₂ likewise", fontsize=12, va="center")


def _draw_product(axes: Axes) -> None:
    blank(axes, 15, 7.2)
    axes.text(0, 6.7, "Four images: a column for each, and the same product", fontsize=12.5, fontweight="bold", va="center")
    count, top = len(IMAGES), 5.0
    columns = {"w": 0.0, "a": 3.9, "b": 8.9, "z": 11.0}
    draw_matrix(axes, columns["w"], top - 0.5, "w", [[row] * _INPUTS for row in _ROWS])
    draw_matrix(axes, columns["a"], top, "a", [IMAGES] * _INPUTS)
    draw_matrix(axes, columns["b"], top - 0.5, "b", [[row] for row in _ROWS])
    draw_matrix(axes, columns["z"], top - 0.5, "z", [IMAGES] * _UNITS)
    for x, sign in ((3.45, "·"), (8.4, "+"), (10.45, "=")):
        axes.text(x, top - 1.5, sign, ha="center", va="center", fontsize=16)
    for j in range(count):
        for left in (columns["a"], columns["z"]):
            axes.text(left + j + 0.5, top + (0.3 if left == columns["a"] else -0.2), f"{j + 1}", ha="center", va="center", fontsize=11)
    axes.text(columns["a"] + count / 2, top + 0.95, "image", ha="center", va="center", fontsize=11)
    for name, shape in (("w", "n × k"), ("a", "k × m"), ("b", "n × 1"), ("z", "n × m")):
        width = {"w": _INPUTS, "b": 1}.get(name, count)
        axes.text(columns[name] + width / 2, top - (3.4 if name == "a" else 2.9), shape, ha="center", va="center", fontsize=11)
    outline(axes, columns["w"], top - 1.5, _INPUTS, 1)
    outline(axes, columns["a"] + 2, top, 1, _INPUTS)
    outline(axes, columns["b"], top - 1.5, 1, 1)
    outline(axes, columns["z"] + 2, top - 1.5, 1, 1)
    axes.text(0, 0.45, "z₂₃ is row 2 of w times column 3 of a, plus b₂: unit 2, image 3.", fontsize=12, va="center")
