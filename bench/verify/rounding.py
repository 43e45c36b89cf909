"""How far rounding alone leads two epochs apart that should end alike. Seen from one more epoch, which differs by rounding alone.

A trainer that adds in the same order every time ends at the same bits. One that does not, with atomic additions or threads that
share as they come, and one that is written differently, ends where rounding leads. That can be far: each step amplifies the rounding of
those before it. With mini-batches of 10 in float32, 1,000 steps of `nielsen` lead 5e-5 of the distance trained apart, 5,000 a tenth
of it; with mini-batches of 1, 500 steps lead anywhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from impls import Network  # a worker uses this with the impls of any revision

# How far from the start the further epoch begins, of the distance trained. Trainers that are written differently, `loop`, `matrix` and
# `compiled`, have ended up to 3 times as far apart as this led, where rounding was not amplified, and within 1 time where it was.
_NUDGE = {"float32": 3e-5, "float64": 3e-11}


def shaken(
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
