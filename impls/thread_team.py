"""Threads that run one function compiled by Numba together, and their barrier.

The barrier spins, because a step of a few tens of microseconds needs it several times, and the operating system takes longer to wake a
thread.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from impls import aligned
from impls.aligned import LINE
from impls.simd import inlined

_SPINS = 5000  # looks, about 10 microseconds; from then on a thread that waits lets others run between two looks
_OPEN = 1 << 62  # arrivals; more than threads will ever wait for


class Team:
    """A team of `size` threads: the caller's, and others that wait for work."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._others = ThreadPoolExecutor(size - 1, thread_name_prefix="epochbench") if size > 1 else None

    def run(self, function: Callable[..., None], *arguments: Any) -> None:
        """Call `function(part, size, barrier, *arguments)` in each thread, with part 0, 1 ...; return when all have returned.

        The function releases the GIL, and waits for the others by `wait_for_all`.
        """
        barrier = aligned.zeros((LINE // 8,), np.int64)  # the number of arrivals, and the address of a function for threads that wait
        if self._others is None:
            function(0, 1, barrier, *arguments)
            return
        barrier[1] = _let_others_run()

        def work(part: int) -> None:
            with _opened_on_failure(barrier):
                function(part, self.size, barrier, *arguments)

        with _opened_on_failure(barrier):
            others = [self._others.submit(work, part) for part in range(1, self.size)]
            work(0)
        for other in others:
            other.result()


@contextmanager
def _opened_on_failure(barrier: npt.NDArray[np.int64]) -> Iterator[None]:
    """Open the barrier if the block raises, or the other threads would wait for this one for ever."""
    try:
        yield
    except BaseException:
        barrier[0] = _OPEN
        raise


def _let_others_run() -> int | None:
    """Return the address of the C function that lets another thread run."""
    if sys.platform == "win32":
        function = ctypes.WinDLL("kernel32").SwitchToThread
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value


@inlined
def wait_for_all(parts, barrier, turn):
    """Wait until all `parts` threads have called this for the turn, and see all that they stored; return the next turn.

    The turns of a thread are 0, 1, 2 ...
    """
    if parts > 1:
        _arrive(barrier)
        spins = 0
        while _arrivals(barrier) < (turn + 1) * parts:
            spins += 1
            if spins > _SPINS:
                _call(barrier[1])
    return turn + 1


@intrinsic
def _arrive(typing: Any, barrier: Any) -> Any:
    """Count this thread, and publish all that it has stored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.atomic_rmw("add", _memory(context, builder, signature, arguments), ir.IntType(64)(1), "seq_cst")
        return context.get_dummy_value()

    return types.void(barrier), generate


@intrinsic
def _arrivals(typing: Any, barrier: Any) -> Any:
    """Return the number of arrivals, and see all that those threads published."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_memory(context, builder, signature, arguments), "acquire", 8, typ=ir.IntType(64))

    return types.int64(barrier), generate


@intrinsic
def _call(typing: Any, address: Any) -> Any:
    """Call the C function at this address, without arguments."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(arguments[0], ir.PointerType(function)), [])
        return context.get_dummy_value()

    return types.void(types.int64), generate


def _memory(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data
