"""A layer's weights as edges of the network and as a matrix, and a mini-batch of images as columns of another."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from bench.plot.drawings.matrices import DARKER, IMAGES, PLAIN, blank, draw_matrix, outline, subscript
from impls import mnist

_INPUTS, _UNITS = 3, 2
_ROWS = (PLAIN, DARKER)  # of w, a unit each
_EDGES = ("-", (0, (4, 2)))  # of a unit each
_WIDTH = 15.0


def draw() -> Figure:
    """Draw the network of one layer above, and z = w a + b for four images below."""
    figure = Figure(figsize=(6.4, 6.7), layout="constrained")
    axes = figure.subplots()
    blank(axes, _WIDTH, 15.6)
    _draw_network(axes, 15.2)
    _draw_product(axes, 7.8)
    return figure


def _draw_network(axes: Axes, top: float) -> None:
    axes.text(0, top, "One image: a number for each pixel, a weight for each edge", fontsize=12.5, fontweight="bold", va="center")
    inputs = [(3.2, top - 1.5 - 1.75 * j) for j in range(_INPUTS)]
    units = [(10.6, top - 2.2 - 2.1 * i) for i in range(_UNITS)]
    for i, (x, y) in enumerate(units):
        for j, (from_x, from_y) in enumerate(inputs):
            axes.plot([from_x, x], [from_y, y], color="#555555", linestyle=_EDGES[i], linewidth=1.6, zorder=1)
            near = 0.28 if i == 0 else 0.48  # fraction of the edge at which its label is, so that no two labels overlap
            at = from_x + near * (x - from_x), from_y + near * (y - from_y)
            name = f"w{subscript(i + 1)}{subscript(j + 1)}"
            axes.text(*at, name, ha="center", va="center", fontsize=12, bbox={"facecolor": _ROWS[i], "edgecolor": "none", "pad": 2})
    for name, nodes in (("a", inputs), ("z", units)):
        for number, (x, y) in enumerate(nodes, start=1):
            axes.add_patch(Circle((x, y), 0.62, facecolor=IMAGES[0], edgecolor="none", zorder=2))
            axes.text(x, y, f"{name}{subscript(number)}", color="white", ha="center", va="center", fontsize=12, zorder=3)
    for number, (x, y) in enumerate(units, start=1):
        arrow = {"arrowstyle": "-|>", "linewidth": 1.6, "color": "#555555", "shrinkB": 0}
        axes.annotate(f"b{subscript(number)}", (x + 0.62, y), (x + 2.4, y), arrowprops=arrow, ha="left", va="center", fontsize=12)
    axes.text(0, top - 6.1, "z₁ = w₁₁ a₁ + w₁₂ a₂ + w₁₃ a₃ + b₁; z₂ has the dashed edges and b₂.", fontsize=12, va="center")


def _draw_product(axes: Axes, top: float) -> None:
    axes.text(0, top, "Four images: a column for each, and the same product", fontsize=12.5, fontweight="bold", va="center")
    cells = top - 2.0  # the upper edge of a
    at = {"w": 0.0, "a": 3.9, "b": 8.9, "z": 11.0}
    draw_matrix(axes, at["w"], cells - 0.5, "w", [[row] * _INPUTS for row in _ROWS])
    draw_matrix(axes, at["a"], cells, "a", [IMAGES] * _INPUTS)
    draw_matrix(axes, at["b"], cells - 0.5, "b", [[row] for row in _ROWS])
    draw_matrix(axes, at["z"], cells - 0.5, "z", [IMAGES] * _UNITS)
    for x, sign in ((3.45, "·"), (8.4, "+"), (10.45, "=")):
        axes.text(x, cells - 1.5, sign, ha="center", va="center", fontsize=16)
    digits = mnist().test.images[: len(IMAGES)].reshape(-1, 28, 28)
    for j, (digit, colour) in enumerate(zip(digits, IMAGES, strict=True)):
        ink = LinearSegmentedColormap.from_list("ink", ["white", colour])
        left = at["a"] + j
        axes.imshow(digit, cmap=ink, extent=(left + 0.05, left + 0.95, cells + 0.1, cells + 1.0), aspect="equal", zorder=1)
        axes.text(at["z"] + j + 0.5, cells - 0.2, f"{j + 1}", ha="center", va="center", fontsize=11)
        axes.text(left + 0.5, cells + 1.25, f"{j + 1}", ha="center", va="center", fontsize=11)
    for name, shape, width in (("w", "n × k", _INPUTS), ("a", "k × m", len(IMAGES)), ("b", "n × 1", 1), ("z", "n × m", len(IMAGES))):
        axes.text(at[name] + width / 2, cells - 3.4, f"{name}: {shape}", ha="center", va="center", fontsize=11)
    outline(axes, at["w"], cells - 1.5, _INPUTS, 1)
    outline(axes, at["a"] + 2, cells, 1, _INPUTS)
    outline(axes, at["b"], cells - 1.5, 1, 1)
    outline(axes, at["z"] + 2, cells - 1.5, 1, 1)
    axes.text(0, cells - 4.4, "z₂₃, of unit 2 and image 3, is row 2 of w times column 3 of a, plus b₂.", fontsize=12, va="center")
    axes.text(0, cells - 5.3, "n = 2 units, k = 3 inputs, m = 4 images; b is added to every column.", fontsize=12, va="center")
    blank(axes, _WIDTH, 15.6)  # imshow has changed the limits
