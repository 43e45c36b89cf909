"""Drift of a series: a trend test and the size of the trend."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SURE = 3.3  # standard deviations of Mann's statistic; one in a thousand steady series exceeds it


def drift(values: npt.NDArray[np.float64]) -> float:
    """Return the rise from the first value to the last, as a fraction of the median; 0 if the trend is not significant.

    values  (n,), positive, in order

    The test statistic is the number of pairs that rise, less the number that fall (H. Mann, 1945). The size is the median of all
    slopes (H. Theil, 1950).
    """
    n = len(values)
    first, later = np.triu_indices(n, 1)
    rises = values[later] - values[first]
    if abs(np.sign(rises).sum()) <= _SURE * np.sqrt(n * (n - 1) * (2 * n + 5) / 18):
        return 0.0
    return float(np.median(rises / (later - first)) * (n - 1) / np.median(values))
