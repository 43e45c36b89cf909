"""State of the process that a trainer may change, and on which the following cases depend."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import process_time, sleep

import numpy as np
import psutil
import threadpoolctl

from bench.machine import affinity

_CLOCKS = ("perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "process_time_ns", "time", "time_ns", "sleep")
# Idle threads of a BLAS wait in a loop for some milliseconds. A thread that is still busy after _TRIES times _PAUSE seconds has work.
_PAUSE, _TRIES, _BUSY = 0.05, 10, 0.5
_DAEMONS = ("orted", "prted")  # Open MPI's. They serve a process from MPI_Init until it ends, and do nothing between its messages.


class Surroundings:
    """A snapshot of the process: its processors, thread pools, NumPy's error state, clocks, threads and child processes."""

    def __init__(self) -> None:
        self._processors = affinity.processors()
        self._pools = {pool.filepath: pool.num_threads for pool in _pools()}
        self._errors = np.geterr()
        self._clocks = {name: getattr(time, name) for name in _CLOCKS}
        self._threads = set(threading.enumerate())
        self._children = set(_children())

    def restore(self) -> list[str]:
        """Restore what differs from the snapshot, and return the names of what did."""
        changed = []
        if affinity.processors() != self._processors:
            affinity.pin(self._processors)
            changed.append("its processors")
        for pool in _pools():
            if (threads := self._pools.get(pool.filepath, pool.num_threads)) != pool.num_threads:
                pool.set_num_threads(threads)
                changed.append(f"the number of threads of {pool.internal_api}")
        if np.geterr() != self._errors:
            np.seterr(**self._errors)
            changed.append("NumPy's error state")
        for name, clock in self._clocks.items():
            if getattr(time, name) is not clock:
                setattr(time, name, clock)
                changed.append(f"time.{name}")
        return changed

    def running(self) -> list[str]:
        """Return the names of what was started since the snapshot and still runs: threads that keep the process alive, and processes.

        A thread that computes is named too, even if it would end with the process. What ends within half a second is not named.
        """
        gc.collect()  # a trainer may end its threads when it is freed
        for _ in range(_TRIES):
            left = [f"thread {thread.name}" for thread in self.threads()] + self._processes()
            if not left:
                return ["a busy thread"] if _is_busy() else []
            sleep(_PAUSE)
        return left

    def _processes(self) -> list[str]:
        names = []
        for child in set(_children()) - self._children:
            with suppress(psutil.Error):
                if child.status() != psutil.STATUS_ZOMBIE and child.name() not in _DAEMONS:
                    names.append(f"process {child.name()}")
        return names

    def threads(self) -> list[threading.Thread]:
        """Return the threads that were started since the snapshot and keep the process alive."""
        return [thread for thread in threading.enumerate() if thread not in self._threads and not thread.daemon]


@contextmanager
def kept(case: object, warnings: list[str]) -> Iterator[None]:
    """Restore the surroundings after a case, and append a warning for what it changed, and for what it left running."""
    before = Surroundings()
    try:
        yield
    finally:
        if changed := before.restore():
            warnings.append(f"{case}: changed {', '.join(changed)}; restored for the other cases")
        if left := before.running():
            warnings.append(f"{case}: left {', '.join(left)} running, which may slow the cases after it")


def _pools() -> list[threadpoolctl.LibController]:
    return list(threadpoolctl.ThreadpoolController().lib_controllers)


def _children() -> list[psutil.Process]:
    with suppress(OSError, psutil.Error):
        return psutil.Process().children(recursive=True)
    return []


def _is_busy() -> bool:
    """Return whether this process uses a processor although it has nothing to do."""
    for _ in range(_TRIES):
        before = process_time()
        sleep(_PAUSE)
        if process_time() - before < _BUSY * _PAUSE:
            return False
    return True
