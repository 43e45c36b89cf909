"""Restrictions of this process: its processors, its priority, its CPU quota, its memory."""

from __future__ import annotations

import os

import psutil

from bench.machine import affinity, cpu_quota, memory
from bench.text.numbers import digits


def restrictions(threads: int, *, pinned: bool = False) -> list[str]:
    """Return a line for each restriction. Call it before `affinity.limit_threads`, which adds one.

    threads  number of threads of this process
    pinned   whether this program has already chosen the processors of the process, so that they are no restriction
    """
    found = []
    mine, everything = affinity.available(), os.cpu_count() or 1
    if not pinned:
        if hasattr(psutil.Process, "cpu_affinity") and not affinity.pin(affinity.processors()):
            found.append("affinity: the system does not let a process choose its processors, so only the thread counts are limited")
        if mine < everything:
            found.append(f"affinity: this process is limited to {mine} of {everything} processors by taskset or a launcher")
    if hasattr(os, "getpriority") and (nice := os.getpriority(os.PRIO_PROCESS, 0)) > 0:
        found.append(f"nice {nice}: other programs have a higher priority; start the run without nice")
    if quota := cpu_quota.warning(threads, cpu_quota.cpu_quota()):
        found.append(quota)
    limit, total = memory.allowed().limit, memory.of_machine().limit
    if limit < total / 2:
        found.append(f"memory: this process is limited to {digits(limit / 2**30)} of {digits(total / 2**30)} GiB by a container or ulimit")
    return found
