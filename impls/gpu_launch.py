"""Programmatic dependent launch: a kernel may start before the previous kernel in its stream has ended.

CuPy 14.2 cannot set launch attributes, so this module calls cuLaunchKernelEx of the CUDA driver.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

PROGRAMMATIC_STREAM_SERIALIZATION = 6  # a CUlaunchAttributeID
EDGE_DATA = 12_030  # CUDA 12.3: the first driver that can capture such a launch in a graph


class Attribute(ctypes.Structure):
    """CUlaunchAttribute of cuda.h, whose value is a union of 64 bytes."""

    _fields_ = (("id", ctypes.c_int), ("padding", ctypes.c_int), ("value", ctypes.c_int * 16))


class Config(ctypes.Structure):
    """CUlaunchConfig of cuda.h."""

    _fields_ = (
        ("grid", ctypes.c_uint * 3),
        ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint),
        ("stream", ctypes.c_void_p),
        ("attributes", ctypes.POINTER(Attribute)),
        ("attribute_count", ctypes.c_uint),
    )


@functools.cache
def driver() -> Callable[..., int] | None:
    """Return the driver's cuLaunchKernelEx, or None if the driver is missing or too old."""
    try:
        function = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1").cuLaunchKernelEx
    except (OSError, AttributeError):
        return None
    function.argtypes = (ctypes.POINTER(Config), ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)
    return function


def launch_dependent(function: Any, grid: tuple[int, ...], threads: int, arguments: tuple[Any, ...], shared: int, stream: Any) -> bool:
    """Launch a kernel that may overlap with the previous kernel in the stream. The kernel itself must wait for the end of that one.

    function   cupy.cuda.Function
    grid       blocks, in up to three dimensions
    threads    threads of a block
    arguments  CuPy arrays, NumPy scalars, and 0-dimensional NumPy arrays of a structured dtype, which are passed by value
    shared     bytes of dynamic shared memory of a block
    stream     cupy.cuda.Stream; it may be capturing

    Returns True if the driver accepted the launch, or False if nothing was launched.
    """
    launch = driver()
    if launch is None:
        return False
    attribute = Attribute(id=PROGRAMMATIC_STREAM_SERIALIZATION)
    attribute.value[0] = 1
    config = Config((*grid, 1, 1)[:3], (threads, 1, 1), shared, stream.ptr, ctypes.pointer(attribute), 1)
    values = [np.array(getattr(argument.data, "ptr", argument)) for argument in arguments]  # a CuPy array is passed as its address
    addresses = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
    return launch(config, function.ptr, addresses, None) == 0
