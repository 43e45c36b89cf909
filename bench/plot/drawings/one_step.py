"""The product of a layer in `loop` and in `matrix`, with the number of NumPy calls of a whole step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plot.drawings.matrices import IMAGES, PLAIN, blank, draw_matrix
from bench.workload import named
from impls import Dataset, load_trainer

_INPUTS, _UNITS = 3, 2


class _Counted(np.ndarray[Any, Any]):
    """An array that counts the NumPy functions and operators that are called with one."""

    calls = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        _Counted.calls += 1
        plain = [np.asarray(value) if isinstance(value, _Counted) else value for value in inputs]
        if "out" in options:
            options["out"] = tuple(np.asarray(value) for value in options["out"])
        return np.asarray(getattr(ufunc, method)(*plain, **options)).view(_Counted)

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        _Counted.calls += 1
        plain = [np.asarray(value) if isinstance(value, _Counted) else value for value in arguments]
        return np.asarray(function(*plain, **options)).view(_Counted)


def calls_of_a_step(trainer: str) -> int:
    """Return how many NumPy functions and operators the trainer calls for one mini-batch of `nielsen`, gathering left out."""
    workload = named("nielsen")
    m = workload.batch_size
    data = Dataset(np.zeros((m, 784), np.float32), np.arange(m) % 10, classes=10)
    made: Any = load_trainer(trainer)(workload.network(data), data, batch_size=m, learning_rate=workload.learning_rate)
    made._x, made._y = made._x.view(_Counted), made._y.view(_Counted)
    made._weights, made._biases = ([array.view(_Counted) for array in arrays] for arrays in (made._weights, made._biases))
    _Counted.calls = 0
    made.train_epoch(np.arange(m))
    return _Counted.calls


def draw() -> Figure:
    """Draw both, one above the other."""
    figure = Figure(figsize=(6.4, 5.2), layout="constrained")
    axes = figure.subplots()
    blank(axes, 15, 12.2)
    batch = named("nielsen").batch_size
    axes.text(0, 11.8, "loop: one product per image, one after another", fontsize=12.5, fontweight="bold", va="center")
    for j, colour in enumerate(IMAGES):
        _draw_product(axes, 11.1 - 1.6 * j, f"image {j + 1}", [colour])
    axes.annotate("", (13.9, 4.9), (13.9, 11.0), arrowprops={"arrowstyle": "-|>", "linewidth": 1.6, "color": "black"})
    axes.text(13.6, 8.0, "time", fontsize=12, ha="right", va="center")
    axes.text(0, 4.4, f"A whole step of nielsen, {batch} images: {calls_of_a_step('loop')} NumPy calls", fontsize=12, va="center")
    axes.text(0, 3.1, "matrix: one product for all images", fontsize=12.5, fontweight="bold", va="center")
    _draw_product(axes, 2.4, f"images 1-{len(IMAGES)}", IMAGES)
    axes.text(0, 0.3, f"A whole step of nielsen, {batch} images: {calls_of_a_step('matrix')} NumPy calls", fontsize=12, va="center")
    return figure


def _draw_product(axes: Axes, top: float, name: str, colours: Sequence[str]) -> None:
    """Draw w a + b = z in small cells, a column of a and z for each colour."""
    size = 0.48
    width, middle = len(colours) * size, top - 1.5 * size
    lefts = {"w": 3.6, "a": 5.8, "b": 6.4 + width, "z": 7.9 + width}
    draw_matrix(axes, lefts["w"], top - size / 2, "w", [[PLAIN] * _INPUTS] * _UNITS, size=size, indexed=False)
    draw_matrix(axes, lefts["a"], top, "a", [colours] * _INPUTS, size=size, indexed=False)
    draw_matrix(axes, lefts["b"], top - size / 2, "b", [[PLAIN]] * _UNITS, size=size, indexed=False)
    draw_matrix(axes, lefts["z"], top - size / 2, "z", [colours] * _UNITS, size=size, indexed=False)
    axes.text(0.2, middle, name, fontsize=12, va="center")
    for x, sign in ((5.42, "·"), (6.1 + width, "+"), (7.4 + width, "=")):
        axes.text(x, middle, sign, ha="center", va="center", fontsize=14)
