"""Hold this process to N processors and its libraries to N threads, so that "one thread" means the same for everybody.

Setting a thread count is not enough: some libraries (XLA) size their pool by the processors that the process may run on.
Pinning is not enough either: others start a thread for every processor of the machine. So both.
"""

from __future__ import annotations

import os

import psutil
import threadpoolctl

from impls.errors import InputError

# Read by OpenMP, OpenBLAS, MKL, Accelerate and Numba when they are loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMBA_NUM_THREADS")


def available() -> int:
    """Return how many processors this process may run on."""
    return len(processors())


def limit_threads(threads: int | None = None) -> int:
    """Pin this process to its first `threads` processors (None: all it has) and set thread counts; return the number.

    Libraries that are loaded already are told through threadpoolctl, later ones through the environment. macOS has no pinning;
    there only the thread counts are set. Raises InputError if there are not that many processors.
    """
    most = available()
    threads = most if threads is None else threads
    if not 1 <= threads <= most:
        raise InputError(f"--threads {threads}: this process may run on {most} processors; give 1 to {most}")
    pin(processors()[:threads])
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    threadpoolctl.threadpool_limits(threads)
    return threads


def processors() -> list[int]:
    """Return the numbers of the processors that this process may run on."""
    process = psutil.Process()
    if hasattr(process, "cpu_affinity"):
        return sorted(process.cpu_affinity())
    return list(range(os.cpu_count() or 1))


def pin(numbers: list[int]) -> None:
    """Hold this process, with its threads, to these processors; macOS knows no such thing."""
    process = psutil.Process()
    if hasattr(os, "sched_setaffinity"):  # Linux pins threads one by one: those that a library has started too
        for thread in process.threads():
            os.sched_setaffinity(thread.id, numbers)
    elif hasattr(process, "cpu_affinity"):
        process.cpu_affinity(numbers)
