"""What keeps this process from the whole machine: processors, priority, CPU quota, memory."""

from __future__ import annotations

import os

from bench.machine import affinity, cpu_quota, memory


def restrictions(threads: int) -> list[str]:
    """Return a line for each restriction of a process with so many threads. Call it before `affinity.limit_threads`, which adds one."""
    found = []
    mine, everything = affinity.available(), os.cpu_count() or 1
    if not affinity.pin(affinity.processors()):
        found.append("affinity: the system does not let a process choose its processors, so only the libraries' thread counts are limited")
    if mine < everything:
        found.append(f"affinity: this process may run on {mine} of {everything} processors; taskset or a launcher decided that")
    if hasattr(os, "getpriority") and (nice := os.getpriority(os.PRIO_PROCESS, 0)) > 0:
        found.append(f"nice {nice}: other programs run before this one; start it without nice")
    if quota := cpu_quota.warning(threads, cpu_quota.cpu_quota()):
        found.append(quota)
    limit, total = memory.allowed().limit, memory.of_machine().limit
    if limit < total / 2:
        found.append(f"memory: this process may take {limit / 2**30:.2g} of {total / 2**30:.3g} GiB; a container or ulimit decided that")
    return found
