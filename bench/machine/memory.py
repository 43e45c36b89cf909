"""Memory that this process may take: of the machine, of its container, and of its address space (ulimit -v)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import psutil

from bench.machine.control_groups import GROUPS, MOUNT, directories

# Per version of control groups: the files with the limit and the use, and the entry of memory.stat that the kernel frees when needed.
_FILES = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


class Memory(NamedTuple):
    """A limit of memory, and what is free below it, in bytes."""

    limit: int
    free: int


def allowed(groups: Path = GROUPS, mount: Path = MOUNT) -> Memory:
    """Return the smallest limit and the least free memory of all that apply. groups, mount: as for `control_groups.directories`"""
    found = [of_machine(), *_address_space()]
    for directory in directories("memory", groups, mount):
        found += _of_group(directory)
    return Memory(min(one.limit for one in found), max(0, min(one.free for one in found)))


def of_machine() -> Memory:
    """Return the memory of the machine, and what is available; both are very large if the system hides that."""
    try:
        machine = psutil.virtual_memory()
    except (OSError, psutil.Error):  # a container may hide /proc/meminfo
        return Memory(sys.maxsize, sys.maxsize)
    return Memory(machine.total, machine.available)


def _of_group(directory: Path) -> Iterator[Memory]:
    for name, used, freed in _FILES:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limit = int((directory / name).read_text())
            entries = dict(line.split() for line in (directory / "memory.stat").read_text().splitlines())
            yield Memory(limit, limit - int((directory / used).read_text()) + int(entries.get(freed, 0)))


def _address_space() -> Iterator[Memory]:
    with suppress(ImportError, OSError, psutil.Error):  # Windows has no such limit
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            yield Memory(limit, limit - psutil.Process().memory_info().vms)
