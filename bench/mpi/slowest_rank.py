"""Seconds on several ranks: the slowest counts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def slowest(members: Any, seconds: list[float]) -> list[float]:
    """Return, of each, what the slowest of the ranks took; the same on all of them."""
    return [float(longest) for longest in np.max(members.allgather(seconds), axis=0)]


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of the work on this rank."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
