"""Number of times that NumPy allocates memory for an array in a step, counted by its own hook (NEP 49).

A number that NumPy converts for an operation counts, too: 0.5 * z makes an array for the result and one or two for 0.5.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.anatomy.calls import Epochs, Job
from bench.system.signals import postponed
from impls import Trainer

_STEPS = 3
_SET_HANDLER = 304  # position in NumPy's C API, which is stable
_CAPSULE = b"mem_handler"

_Malloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Calloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)
_Realloc = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_Free = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


class _Handler(ctypes.Structure):
    """PyDataMem_Handler."""

    _fields_ = (
        ("name", ctypes.c_char * 127),
        ("version", ctypes.c_uint8),
        ("context", ctypes.c_void_p),
        ("malloc", _Malloc),
        ("calloc", _Calloc),
        ("realloc", _Realloc),
        ("free", _Free),
    )


def allocations_per_step(trainer: type[Trainer], job: Job) -> float | None:
    """Return how often NumPy allocates memory in a step of the trainer, on a tiny network. The widths of the layers do not matter.

    Returns None if NumPy does not do its arithmetic, or if NumPy cannot be observed. An epoch of one step and one of several, each after
    another, both have what an epoch allocates besides its steps.
    """
    if trainer.library != "numpy" or trainer.device != "cpu":
        return None
    try:
        one, several = (_allocated(Epochs(trainer, job._replace(examples=steps * job.batch_size))) for steps in (1, _STEPS))
    except (AttributeError, ImportError, OSError):  # an interpreter or a C library without these functions
        return None
    return (several - one) / (_STEPS - 1)


def _allocated(epochs: Epochs) -> int:
    """Return the number of allocations of an epoch."""
    with postponed("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"), _counted() as count:  # an exception in a callback could crash the process
        epochs.once()
    return count[0]


@contextmanager
def _counted() -> Iterator[list[int]]:
    """Count the allocations meanwhile."""
    count = [0]
    handler = _counting(count)
    set_handler = _set_handler()
    before = set_handler(_capsule(handler))
    try:
        yield count
    finally:
        set_handler(before)


def _counting(count: list[int]) -> _Handler:
    """Return a handler that counts. It is never freed: an array that still exists will be freed by the handler that allocated it."""
    libc = ctypes.cdll.msvcrt if os.name == "nt" else ctypes.CDLL(None)
    for name, types in (("malloc", 1), ("calloc", 2)):
        getattr(libc, name).restype, getattr(libc, name).argtypes = ctypes.c_void_p, [ctypes.c_size_t] * types
    libc.realloc.restype, libc.realloc.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]

    def malloc(_: int, size: int) -> Any:
        count[0] += 1
        return libc.malloc(max(size, 1))

    def calloc(_: int, number: int, size: int) -> Any:
        count[0] += 1
        return libc.calloc(max(number, 1), max(size, 1))

    handler = _Handler(
        b"epochbench", 1, None, _Malloc(malloc), _Calloc(calloc), _Realloc(lambda _, at, size: libc.realloc(at, max(size, 1))),
        _Free(lambda _, at, size: libc.free(at)),
    )  # fmt: skip
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(handler))
    return handler


def _capsule(handler: _Handler) -> Any:
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    return new(ctypes.addressof(handler), _CAPSULE, None)


def _set_handler() -> Any:
    """Return NumPy's function PyDataMem_SetHandler, which returns the handler that it replaces."""
    from numpy._core import _multiarray_umath  # type: ignore[attr-defined]  # the table that C extensions import, too

    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    table = ctypes.cast(pointer(_multiarray_umath._ARRAY_API, None), ctypes.POINTER(ctypes.c_void_p))
    return ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)(table[_SET_HANDLER])
