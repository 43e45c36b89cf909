"""Distance of two results of the same epoch, and how much of it rounding explains.

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

# Distance that needs no further explanation, and upper limit of the tolerance for a few steps. Correct results in float64 differ by 1e-13.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

# The allowed distance is this multiple of the measured effect of rounding.
_FURTHER = 3

# Correct trainers round differently than `matrix` does. Their errors are up to 310 times the spacing of floating-point numbers at 1.
# Products in half precision, or with the 10 bits of TF32, give 1,000 or more, and so do the other wrong trainers of results/verification.
_SPACINGS = 550

# A distance below this number of spacings at the largest element of an array does not count: a single element may be rounded up instead
# of down, and that is much of the distance trained if the array is short or its steps are small.
_IGNORED = 4

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


def distance(one: Network, other: Network, start: Network) -> float:
    """Return the distance of two networks trained from one start: the maximum over the weights and biases of all layers.

    For an array p, it is |p - p*| / |p* - p_0|: the distance from the other network's p*, relative to the distance that p* was trained.
    Of |p - p*|, a few spacings of the start's dtype at the largest element of p* do not count. It is NaN if an element of `one` is NaN.
    """
    spacing = np.finfo(start.dtype).eps
    return float(np.max([
        np.maximum(_norm(p - right) - _IGNORED * spacing * np.max(np.abs(right)), 0.0) / max(_norm(right - before), np.finfo(float).tiny)
        for p, right, before in zip(*(arrays(network.astype(np.float64)) for network in (one, other, start)), strict=True)
    ]))  # fmt: skip


def tolerance(spread: float, dtype: np.dtype[np.floating[Any]]) -> float:
    """Return the largest `distance` of a correct result from the nearest of some others.

    spread  the largest distance of two of the others, which differ only by rounding in the dtype
    """
    return float(_FURTHER * spread + _SPACINGS * np.finfo(dtype).eps)


def storing(trained: Network, start: Network, steps: int) -> float:
    """Return the expected distance that a network is moved by rounding it to the start's dtype after each step: the maximum of all arrays.

    Each rounding error is uniform between -1/2 and 1/2 of the spacing of floating-point numbers, and independent of earlier ones.
    So the square of the norm is steps/12 times the sum of the squared spacings. Measured distances were 0.7 to 2.8 times this estimate.
    """
    return float(np.max([
        np.sqrt(steps / 12) * _norm(np.spacing(np.abs(before)).astype(np.float64)) / max(_norm(after - before), np.finfo(float).tiny)
        for after, before in zip(arrays(trained.astype(np.float64)), arrays(start), strict=True)
    ]))  # fmt: skip


def beyond_rounding(one: Network, other: Network, start: Network, perturbed: Callable[[], Network]) -> tuple[float, float] | None:
    """Return the distance of two results of one epoch, and the part that rounding explains. Return None if rounding explains all of it.

    start      initial network of both
    perturbed  trains the epoch of `other` again, from the inputs of the function `perturbed`; called only if the distance exceeds TOLERANCE

    Both numbers are a `distance`. Such results come from trainers that compute different things, or from one that is not reproducible.
    """
    if same_bits(one, other):
        return None  # the usual case, and faster to check than the distance
    difference, allowed = distance(one, other, start), TOLERANCE[start.dtype.name]
    if difference <= allowed:
        return None
    rounding = distance(perturbed(), other, start)
    return None if difference <= allowed + _FURTHER * rounding else (difference, rounding)


def describe(difference: float, rounding: float) -> str:
    """Return the two numbers of `beyond_rounding` as text."""
    return f"{difference:.1e} of the distance trained apart; rounding explains {rounding:.1e}"


def same_bits(one: Network, other: Network) -> bool:
    """Return whether all weights and biases are bitwise equal."""
    return all(np.array_equal(p, q) for p, q in zip(arrays(one), arrays(other), strict=True))


def arrays(network: Network) -> list[npt.NDArray[np.floating[Any]]]:
    """Return all weights, then all biases."""
    return [*network.weights, *network.biases]


def _norm(array: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.linalg.norm(array))
