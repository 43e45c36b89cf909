"""Host arrays that are aligned to a cache line.

NumPy aligns its arrays to 16 bytes only. Then three of four AVX-512 loads can touch two cache lines. The alignment also changes from
process to process, and with it the time of an epoch, by a few percent.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

LINE = 64  # bytes of a cache line, and of the widest vector register


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an uninitialised, aligned, C-contiguous host array."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    unaligned = np.empty(size + LINE // dtype.itemsize, dtype)
    start = -unaligned.ctypes.data % LINE // dtype.itemsize
    return unaligned[start : start + size].reshape(shape)


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an aligned, C-contiguous host array of zeros."""
    array = empty(shape, dtype)
    array[...] = 0
    return array
