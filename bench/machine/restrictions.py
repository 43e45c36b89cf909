"""What keeps this process from the whole machine: processors, priority, CPU quota, memory."""

from __future__ import annotations

import os

import psutil

from bench.machine import affinity, cpu_quota, memory


def restrictions(threads: int) -> list[str]:
    """Return a line for each restriction of a process with so many threads. Call it before `affinity.limit_threads`, which adds one."""
    process, found = psutil.Process(), []
    mine, everything = affinity.available(), os.cpu_count() or 1
    if mine < everything:
        found.append(f"affinity: this process may run on {mine} of {everything} processors; taskset or a launcher decided that")
    if os.name != "nt" and process.nice() > 0:
        found.append(f"nice {process.nice()}: other programs run before this one; start it without nice")
    if quota := cpu_quota.warning(threads, cpu_quota.cpu_quota()):
        found.append(quota)
    limit, total = memory.allowed().limit, psutil.virtual_memory().total
    if limit < total / 2:
        found.append(f"memory: this process may take {limit / 2**30:.2g} of {total / 2**30:.3g} GiB; a container or ulimit decided that")
    return found
