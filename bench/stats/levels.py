"""Medians of small samples that share a spread, such as the pairs of several commits. All values are logarithms."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from bench.stats.intervals import Interval

_LEAST_SPREAD = 0.003  # a few values may agree by chance
_UNKNOWN_SPREAD = 0.03  # without two values of a sample


def spread(samples: Collection[Sequence[float]]) -> float:
    """Return the standard deviation of the values in a sample, from the median difference of successive ones, so despite outliers."""
    differences = [np.abs(np.diff(sample)) for sample in samples if len(sample) > 1]
    if not differences:
        return _UNKNOWN_SPREAD
    return max(1.4826 / math.sqrt(2) * float(np.median(np.concatenate(differences))), _LEAST_SPREAD)


def median_error(sample: Sequence[float], deviation: float) -> tuple[float, float]:
    """Return the median and its standard error, given the standard deviation of the values."""
    return float(np.median(sample)), 1.2533 * deviation / math.sqrt(len(sample))


def levels(samples: Mapping[int, Sequence[float]]) -> dict[int, Interval]:
    """Return the median of each sample with its interval, two standard errors wide on either side."""
    deviation = spread(samples.values())
    medians = {key: median_error(sample, deviation) for key, sample in samples.items()}
    return {key: Interval(median, median - 2 * error, median + 2 * error) for key, (median, error) in medians.items()}
