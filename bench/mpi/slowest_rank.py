"""Times of the slowest rank."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import Any

import numpy as np


def slowest(members: Any, seconds: list[float]) -> list[float]:
    """Return, for each of the times, the maximum over the ranks. All ranks get the same result."""
    return [float(longest) for longest in np.max(members.allgather(seconds), axis=0)]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of the work on this rank."""
    began = perf_counter()
    work()
    return perf_counter() - began
