"""Pairs of a duel with known ratios."""

import math

import numpy as np

from bench.paired.pair import Pair


def pairs(ratios, *, seconds=0.5):
    """Pairs whose a takes that many times as long as b."""
    return [Pair(a=(0.02 * ratio,) * 4, b=(0.02,) * 4, order="abba", seconds=seconds) for ratio in ratios]


def noisy(ratio, spread, seed=0):
    """Endless pairs of that ratio, apart from one another by that share."""
    rng = np.random.default_rng(seed)
    while True:
        yield from pairs([ratio * math.exp(rng.normal(0, spread))])
