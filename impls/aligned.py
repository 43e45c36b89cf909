"""Arrays on the host that start on a cache line.

NumPy's own start on a multiple of 16 bytes, so three of four loads as wide as a register of AVX-512 would touch two lines; and which
of them do changes from process to process, and the time of an epoch by a few percent with it.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

LINE = 64  # bytes of a cache line, and of the widest registers


def empty(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return an array of that shape and type, C-contiguous, its values not set."""
    dtype = np.dtype(dtype)
    size = math.prod(shape)
    unaligned = np.empty(size + LINE // dtype.itemsize, dtype)
    start = -unaligned.ctypes.data % LINE // dtype.itemsize
    return unaligned[start : start + size].reshape(shape)


def zeros(shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return `empty`, filled with 0."""
    array = empty(shape, dtype)
    array[...] = 0
    return array
