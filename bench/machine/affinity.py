"""CPU affinity and thread limits, so that "one thread" means the same for every trainer.

Setting a thread count is not enough: some libraries (XLA) size their thread pool by the processors that the process may run on.
Pinning is not enough either: other libraries start a thread for every processor of the machine. So this module does both.
"""

from __future__ import annotations

import os
from contextlib import suppress

import psutil
import threadpoolctl

from bench.machine.cpu_quota import cpu_quota
from impls.errors import InputError

# OpenMP, OpenBLAS, MKL, Accelerate, Numba and Mesa's software adapter read these when they are loaded.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LP_NUM_THREADS",
)


def available() -> int:
    """Return the number of processors that this process may run on."""
    return len(processors())


def default_threads() -> int:
    """Return the number of processors that this process may keep busy: those it may run on, or fewer if a container has a CPU quota."""
    quota = cpu_quota()
    return available() if quota is None else max(1, min(available(), int(quota)))


def limit_threads(threads: int | None = None) -> int:
    """Pin this process to its first `threads` processors (None: `default_threads`), and limit the libraries to as many threads.

    threadpoolctl limits the libraries that are already loaded, the environment limits later ones. Where pinning is not possible, only the
    thread counts are set. Returns the number of threads. Raises InputError if there are not enough processors.
    """
    most = available()
    threads = default_threads() if threads is None else threads
    if not 1 <= threads <= most:
        raise InputError(f"--threads {threads}", f"this process may run on {most} processors", f"give 1 to {most}")
    pin(processors()[:threads])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpoolctl.threadpool_limits(threads)
    return threads


def thread_variables() -> dict[str, str]:
    """Return the thread counts in the environment, which `limit_threads` replaces."""
    return {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ}


def processors() -> list[int]:
    """Return the numbers of the processors that this process may run on; all of them if the system hides that."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        with suppress(OSError, psutil.Error):
            return sorted(process.cpu_affinity())
    return list(range(os.cpu_count() or 1))


def pin(numbers: list[int]) -> bool:
    """Pin this process and all its threads to these processors. Return whether it is pinned: the system may deny it, and macOS cannot."""
    process = psutil.Process()
    try:
        if hasattr(os, "sched_setaffinity"):  # Linux pins each thread
            os.sched_setaffinity(0, numbers)
        elif hasattr(process, "cpu_affinity"):
            process.cpu_affinity(numbers)
        else:
            return False
    except (OSError, psutil.Error):
        return False
    if hasattr(os, "sched_setaffinity"):
        with suppress(psutil.Error):  # the list of threads may be hidden
            for thread in process.threads():  # those that a library has started
                with suppress(OSError):  # it has just ended
                    os.sched_setaffinity(thread.id, numbers)
    return True
