"""Slowdowns of a known size, planted in a trainer's own code, to see whether they are found. `bench.gate.planted_slowdowns:Planted`.

The environment says what to plant: EPOCHBENCH_PLANTED="matrix _backprop copy 0.4" does 0.4 units of copying at each call of
that method of that trainer, a unit being a few microseconds of work that a careless change might add.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from impls import load_trainer

VARIABLE = "EPOCHBENCH_PLANTED"

_SMALL = np.linspace(0.0, 1.0, 10 * 784, dtype=np.float32).reshape(10, 784)
_WEIGHTS = np.linspace(-1.0, 1.0, 30 * 784, dtype=np.float32).reshape(30, 784)
_SCRATCH = np.empty_like(_WEIGHTS)
_WIDE = np.zeros(1 << 20, np.uint8)


def _copy() -> None:
    """A mini-batch is copied, and the copy thrown away."""
    _SMALL.copy()


def _added_pass() -> None:
    """The weights are read once more, as for a norm that nobody looks at."""
    np.abs(_WEIGHTS, out=_SCRATCH)


def _product() -> None:
    """A matrix product is computed twice."""
    np.dot(_SMALL, _WEIGHTS.T)


def _conversion() -> None:
    """Single precision goes to double and back."""
    _SMALL.astype(np.float64).astype(np.float32)


def _interpreter() -> None:
    """Python code runs where there was none: a loop, a check, a dictionary."""
    seen = {}
    for layer in range(24):
        seen[layer] = layer * layer


def _cold_cache() -> None:
    """Every cache line of a megabyte is touched, and what the trainer had there is gone."""
    _WIDE[::64] += 1


KINDS: dict[str, Callable[[], None]] = {
    "copy": _copy,
    "added-pass": _added_pass,
    "product": _product,
    "conversion": _conversion,
    "interpreter": _interpreter,
    "cold-cache": _cold_cache,
}


def variable(trainer: str, method: str, kind: str, units: float) -> dict[str, str]:
    """Return the environment that plants so many units of a kind at each call of the trainer's method."""
    return {VARIABLE: f"{trainer} {method} {kind} {units!r}"}


def plant(trainer: str, method: str, kind: str, units: float) -> type[Any]:
    """Return the trainer's class with the slowdown in it. Fractions of a unit are saved up until they are a whole one."""
    base = load_trainer(trainer)
    original = getattr(base, method)

    class Planted(base):  # type: ignore[misc, valid-type]
        owed = 0.0

    @wraps(original)
    def slowed(self: Any, *arguments: Any) -> Any:
        self.owed += units
        while self.owed >= 1:
            self.owed -= 1
            KINDS[kind]()
        return original(self, *arguments)

    setattr(Planted, method, slowed)
    return Planted


if VARIABLE in os.environ:
    _trainer, _method, _kind, _units = os.environ[VARIABLE].split()
    Planted = plant(_trainer, _method, _kind, float(_units))
