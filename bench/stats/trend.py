"""Whether values in a row rise or fall, and by how much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SURE = 3.3  # standard deviations of Mann's statistic, which one steady series of a thousand passes


def drift(values: npt.NDArray[np.float64]) -> float:
    """Return by what share of the median the values rise from the first to the last; 0 if chance would do the same.

    values  (n,), positive, in their order

    Whether they rise: the pairs in which the later is the larger, less those in which it is the smaller (H. Mann, 1945). By how much:
    the median of all slopes (H. Theil, 1950).
    """
    n = len(values)
    first, later = np.triu_indices(n, 1)
    rises = values[later] - values[first]
    if abs(np.sign(rises).sum()) <= _SURE * np.sqrt(n * (n - 1) * (2 * n + 5) / 18):
        return 0.0
    return float(np.median(rises / (later - first)) * (n - 1) / np.median(values))
