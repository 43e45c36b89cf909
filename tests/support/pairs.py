"""Pairs with known ratios."""

import math

import numpy as np

from bench.paired.pair import Pair


def pairs(ratios, *, seconds=0.5):
    """Return a pair for each ratio of the seconds of a to those of b."""
    return [Pair(a=(0.02 * ratio,) * 4, b=(0.02,) * 4, order="abba", seconds=seconds) for ratio in ratios]


def noisy(ratio, spread, seed=0):
    """Yield pairs without end. Their ratios are log-normal around `ratio`; `spread` is the standard deviation of the logarithm."""
    rng = np.random.default_rng(seed)
    while True:
        yield from pairs([ratio * math.exp(rng.normal(0, spread))])
