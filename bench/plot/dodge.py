"""Points that lie on each other, moved apart so that all are visible."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt


def apart(points: npt.NDArray[np.float64], reach: tuple[float, float]) -> npt.NDArray[np.float64]:
    """Move points sideways, by as many widths of a mark as needed, until none covers another. Return their positions.

    points  (n, 2), on linear scales
    reach   width and height of a mark, in the units of the points
    """
    placed = np.empty_like(points)
    for number, (x, y) in enumerate(points):
        for step in itertools.count():
            shift = (step + 1) // 2 * (1 if step % 2 else -1)  # 0, 1, -1, 2, -2, ...
            placed[number] = x + shift * reach[0], y
            if not (np.abs(placed[:number] - placed[number]) < np.array(reach) * (1 - 1e-9)).all(axis=1).any():
                break
    return placed
