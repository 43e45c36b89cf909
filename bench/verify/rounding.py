"""How far apart two results of the same epoch may be: how far rounding alone leads, seen from one more epoch that differs by it alone.

A trainer that adds in the same order every time ends at the same bits. One that does not, with atomic additions or threads that
share as they come, and one that is written differently, ends where rounding leads. That can be far: each step amplifies the rounding of
those before it. With mini-batches of 10 in float32, 1,000 steps of `nielsen` lead 5e-5 of the distance trained apart, 5,000 a tenth
of it; with mini-batches of 1, 500 steps lead anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from impls import Network  # a worker uses this with the impls of any revision

# Of the distance that the oracle trains, per array. Correct trainers differ by rounding alone: over these few steps by 4e-4 at
# most in float32 and 2e-14 in float64, on the named workloads. A missing 1/m, a stale bias or a skipped example is off by 1e-2 or more.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

# A step that is short beside the weights loses digits when it is added to them. Right trainers have been off by 0.7 to 2.8 times as
# much as `storing` has it, and by at most 1.1 times where that is the most of their error.
_STORING = 3

_FURTHER = 3  # times as far apart as rounding was seen to lead may two results be

# How far from the start the further epoch begins, of the distance trained. Trainers that are written differently, `loop`, `matrix` and
# `compiled`, have ended up to 3 times as far apart as this led, where rounding was not amplified, and within 1 time where it was.
_NUDGE = {"float32": 3e-5, "float64": 3e-11}


def perturbed(
    start: Network, trained: Network, order: npt.NDArray[np.integer[Any]], batch_size: int
) -> tuple[Network, npt.NDArray[np.integer[Any]]]:
    """Return a start and an order that lead elsewhere by rounding alone: a start that is nudged, each mini-batch backwards.

    trained  where the epoch leads from the start
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
    """Return how far two networks that were trained from one start are apart: the largest over the weights and biases of all layers.

    For an array p it is |p - p*| / |p* - p_0|: its distance from the other's, relative to how far the other's moved. After a number of
    `steps`, what storing the array in the start's dtype can explain counts as within the TOLERANCE: with r as `storing` has it, the
    divisor is |p* - p_0| + 3 r / TOLERANCE.
    """
    explained = _STORING / TOLERANCE[start.dtype.name]
    each = [
        _norm(p - right) / max(_norm(right - before) + explained * storing(stored, steps), np.finfo(float).tiny)
        for p, right, before, stored in zip(
            *(arrays(network.astype(np.float64)) for network in (one, other, start)), arrays(start), strict=True
        )
    ]
    return float(np.max(each))  # NaN if any is, which Python's max passes over


def storing(array: npt.NDArray[np.floating[Any]], steps: int) -> float:
    """Return how far rounding an array to its dtype after each step leads, in the Euclidean norm.

    A rounding is off by a number between -1/2 and 1/2 of the spacing of floating-point numbers, each as likely, and independent of those
    before it. So the square of the norm is steps/12 times the sum of the squared spacings.
    """
    return float(np.sqrt(steps / 12) * _norm(np.spacing(np.abs(array)).astype(np.float64)))


def beyond_rounding(one: Network, other: Network, start: Network, perturbed: Callable[[], Network]) -> tuple[float, float] | None:
    """Return how far apart two results of one epoch are and how much of it rounding explains, if it does not explain all; else None.

    start      where both began
    perturbed  trains the other's epoch once more as `perturbed` has it; called only if they are further apart than verification allows
    Both figures are a `distance`; so far apart are trainers that do different things, or one that does not always do the same.
    """
    if all(np.array_equal(p, right) for p, right in zip(arrays(one), arrays(other), strict=True)):
        return None  # as most are, and seen sooner than a distance
    difference, allowed = distance(one, other, start), TOLERANCE[start.dtype.name]
    if difference <= allowed:
        return None
    rounding = distance(perturbed(), other, start)
    return None if difference <= allowed + _FURTHER * rounding else (difference, rounding)


def describe(difference: float, rounding: float) -> str:
    """Return in words what `beyond_rounding` returned."""
    return f"{difference:.1e} of the distance trained apart, of which rounding explains {rounding:.1e}"


def arrays(network: Network) -> list[npt.NDArray[np.floating[Any]]]:
    """Return all weights, then all biases."""
    return [*network.weights, *network.biases]


def _norm(array: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.linalg.norm(array))
