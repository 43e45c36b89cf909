"""Allowed distance of two results of the same epoch, estimated by one more epoch that differs only by rounding.

A trainer that always adds in the same order reproduces its result bit by bit. Atomic additions, dynamic scheduling of threads, or
another implementation change the rounding. The results can then be far apart, because each step amplifies earlier rounding errors.
With mini-batches of 10 in float32, 1,000 steps of `nielsen` end 5e-5 of the distance trained apart, and 5,000 steps a tenth of it. With
mini-batches of 1, 500 steps can end arbitrarily far apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from impls import Network  # a worker may have the impls of another revision

# Relative to the distance that the oracle trains, per array. Correct trainers differ only by rounding: over these few steps up to 4e-4 in
# float32 and 2e-14 in float64, on the named workloads. A missing 1/m, a stale bias or a skipped example gives an error of 1e-2 or more.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

# A step that is small relative to the weights loses digits in the addition. Measured errors of correct trainers were 0.7 to 2.8 times the
# estimate of `storing`, and up to 1.1 times where this was most of the error.
_STORING = 3

_FURTHER = 3  # the allowed distance is this multiple of the measured effect of rounding

# Perturbation of the initial weights, relative to the distance trained. Different implementations (`loop`, `matrix`, `compiled`) ended up
# to 3 times as far apart as this perturbation led if rounding was not amplified, and no further apart if it was.
_NUDGE = {"float32": 3e-5, "float64": 3e-11}


def perturbed(
    start: Network, trained: Network, order: npt.NDArray[np.integer[Any]], batch_size: int
) -> tuple[Network, npt.NDArray[np.integer[Any]]]:
    """Return a start and an order whose epoch differs only by rounding: slightly changed weights, and each mini-batch reversed.

    trained  result of the epoch from `start`
    """
    rng = np.random.default_rng(0)

    def nudged(before: npt.NDArray[np.floating[Any]], after: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
        signs = rng.choice((-1, 1), before.shape)
        return (before + _NUDGE[before.dtype.name] * signs * (after - before)).astype(before.dtype)

    weights, biases = (
        [nudged(before, after) for before, after in zip(one, other, strict=True)]
        for one, other in ((start.weights, trained.weights), (start.biases, trained.biases))
    )
    mini_batches = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    return Network(weights, biases), np.concatenate([examples[::-1] for examples in mini_batches])


def distance(one: Network, other: Network, start: Network, *, steps: int = 0) -> float:
    """Return the distance of two networks trained from one start: the maximum over the weights and biases of all layers.

    For an array p, it is |p - p*| / |p* - p_0|: the distance from the other network's p*, relative to the distance that p* was trained.
    With `steps`, the error of storing p in the start's dtype after each step stays within the TOLERANCE: the divisor is then
    |p* - p_0| + 3 r / TOLERANCE, with r from `storing`.
    """
    explained = _STORING / TOLERANCE[start.dtype.name]
    each = [
        _norm(p - right) / max(_norm(right - before) + explained * storing(stored, steps), np.finfo(float).tiny)
        for p, right, before, stored in zip(
            *(arrays(network.astype(np.float64)) for network in (one, other, start)), arrays(start), strict=True
        )
    ]
    return float(np.max(each))  # NaN if any distance is NaN; Python's max can ignore NaN


def storing(array: npt.NDArray[np.floating[Any]], steps: int) -> float:
    """Return the expected error of rounding an array to its dtype after each step, as a Euclidean norm.

    Each rounding error is uniform between -1/2 and 1/2 of the spacing of floating-point numbers, and independent of earlier ones.
    So the square of the norm is steps/12 times the sum of the squared spacings.
    """
    return float(np.sqrt(steps / 12) * _norm(np.spacing(np.abs(array)).astype(np.float64)))


def beyond_rounding(one: Network, other: Network, start: Network, perturbed: Callable[[], Network]) -> tuple[float, float] | None:
    """Return the distance of two results of one epoch, and the part that rounding explains. Return None if rounding explains all of it.

    start      initial network of both
    perturbed  trains the epoch of `other` again, from the inputs of the function `perturbed`; called only if the distance exceeds TOLERANCE

    Both numbers are a `distance`. Such results come from trainers that compute different things, or from one that is not reproducible.
    """
    if all(np.array_equal(p, right) for p, right in zip(arrays(one), arrays(other), strict=True)):
        return None  # the usual case, and faster to check than the distance
    difference, allowed = distance(one, other, start), TOLERANCE[start.dtype.name]
    if difference <= allowed:
        return None
    rounding = distance(perturbed(), other, start)
    return None if difference <= allowed + _FURTHER * rounding else (difference, rounding)


def describe(difference: float, rounding: float) -> str:
    """Return the two numbers of `beyond_rounding` as text."""
    return f"{difference:.1e} of the distance trained apart; rounding explains {rounding:.1e}"


def arrays(network: Network) -> list[npt.NDArray[np.floating[Any]]]:
    """Return all weights, then all biases."""
    return [*network.weights, *network.biases]


def _norm(array: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.linalg.norm(array))
