"""A layer's step as the loop takes it, and as the matrix does, with the number of NumPy calls of a whole step."""

from __future__ import annotations

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
    """Return how many NumPy functions and operators the trainer calls for one mini-batch of `nielsen`."""
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
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1.75, 1])
    batch = named("nielsen").batch_size
    _draw_loop(above, f"{calls_of_a_step('loop')} NumPy calls for a mini-batch of {batch}")
    _draw_matrix(below, f"{calls_of_a_step('matrix')} NumPy calls for a mini-batch of {batch}")
    return figure


def _draw_loop(axes: Axes, calls: str) -> None:
    blank(axes, 15, 10.6)
    axes.text(0, 10.1, "loop: a small product for each image, one after another", fontsize=12.5, fontweight="bold", va="center")
    for j, colour in enumerate(IMAGES):
        top = 9.2 - 2.0 * j
        _draw_line(axes, top, [[colour]] * _INPUTS, [[colour]] * _UNITS, size=0.6, a_at=4.4)
        axes.text(0.2, top - 0.9, f"image {j + 1}", fontsize=12, va="center")
    axes.annotate("", (14.3, 1.7), (14.3, 9.0), arrowprops={"arrowstyle": "-|>", "linewidth": 1.6, "color": "black"})
    axes.text(14.0, 5.4, "time", fontsize=12, ha="right", va="center")
    axes.text(0, 0.5, calls, fontsize=12, va="center")


def _draw_matrix(axes: Axes, calls: str) -> None:
    blank(axes, 15, 5.4)
    axes.text(0, 4.9, "matrix: one product for all of them", fontsize=12.5, fontweight="bold", va="center")
    _draw_line(axes, 3.9, [list(IMAGES)] * _INPUTS, [list(IMAGES)] * _UNITS, size=0.6, a_at=4.4)
    axes.text(0.2, 3.0, "all images", fontsize=12, va="center")
    axes.text(0, 0.9, calls, fontsize=12, va="center")


def _draw_line(axes: Axes, top: float, a: list[list[str]], z: list[list[str]], *, size: float, a_at: float) -> None:
    """Draw w a + b = z with small cells without names."""
    width, half = len(a[0]) * size, size / 2
    draw_matrix(axes, a_at - 0.4 - _INPUTS * size + 0.9, top - half, "w", [[PLAIN] * _INPUTS] * _UNITS, size=size, indexed=False)
    left = a_at + 1.1
    draw_matrix(axes, left, top, "a", a, size=size, indexed=False)
    draw_matrix(axes, left + width + 0.8, top - half, "b", [[PLAIN]] * _UNITS, size=size, indexed=False)
    draw_matrix(axes, left + width + 2.4, top - half, "z", z, size=size, indexed=False)
    for x, sign in ((left - 0.35, "·"), (left + width + 0.4, "+"), (left + width + 1.9, "=")):
        axes.text(x, top - 3 * half, sign, ha="center", va="center", fontsize=14)
