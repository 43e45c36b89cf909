"""Slowdowns of known size, planted in a trainer's code to test the gate. Trainer `bench.gate.planted_slowdowns:Planted`.

An environment variable selects the slowdown. EPOCHBENCH_PLANTED="matrix _backprop copy 0.4" adds 0.4 units of copying to each call of
`_backprop` of `matrix`. A unit is a few microseconds of work that a careless change might add.
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
    """Copy a mini-batch and discard the copy."""
    _SMALL.copy()


def _added_pass() -> None:
    """Read the weights once more, as for an unused norm."""
    np.abs(_WEIGHTS, out=_SCRATCH)


def _product() -> None:
    """Compute a matrix product once more."""
    np.dot(_SMALL, _WEIGHTS.T)


def _conversion() -> None:
    """Convert from single to double precision and back."""
    _SMALL.astype(np.float64).astype(np.float32)


def _interpreter() -> None:
    """Run extra Python code: a loop that fills a dictionary."""
    seen = {}
    for layer in range(24):
        seen[layer] = layer * layer


def _cold_cache() -> None:
    """Write to every cache line of a megabyte, which evicts the trainer's data."""
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
    """Return the environment variable that plants `units` of a kind in each call of the trainer's method."""
    return {VARIABLE: f"{trainer} {method} {kind} {units!r}"}


def plant(trainer: str, method: str, kind: str, units: float) -> type[Any]:
    """Return a subclass of the trainer with the slowdown. Fractions of a unit add up over calls until they reach a whole unit."""
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
