"""Least-squares fit of costs, which are not negative, to measured times."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]


def nonnegative(counts: npt.ArrayLike, times: npt.ArrayLike) -> Floats:
    """Return costs x >= 0 such that counts @ x is closest to the times, by the relative error.

    counts  (n, k): how often each of the k costs occurs in each measurement; k is small
    times   (n,), positive; or (n, draws) for a fit of every column, all with the weights of the rows' medians

    Returns (k,) or (k, draws). It tries every subset of the costs and sets the others to 0. The best of the fits without a negative cost
    is the optimum (C. Lawson and R. Hanson, 1974, chapter 23).
    """
    b = np.asarray(times, float)
    columns = b.reshape(len(b), -1)
    weights = 1 / np.median(columns, axis=1, keepdims=True)
    a, b = np.asarray(counts, float) * weights, columns * weights
    k = a.shape[1]
    best, least = np.zeros((k, b.shape[1])), np.sum(b**2, axis=0)  # all costs 0
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            x = np.linalg.lstsq(a[:, chosen], b, rcond=None)[0]
            left = np.sum((a[:, chosen] @ x - b) ** 2, axis=0)
            better = (x >= 0).all(axis=0) & (left < least)
            full = np.zeros_like(best)
            full[list(chosen)] = x
            best[:, better], least[better] = full[:, better], left[better]
    return best[:, 0] if np.ndim(times) == 1 else best
