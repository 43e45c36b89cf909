"""The CPU time that a container's control group allows, in processors, such as 0.5 with docker --cpus=0.5."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bench.machine.control_groups import GROUPS, MOUNT, directories
from bench.text.numbers import counted


def cpu_quota(groups: Path = GROUPS, mount: Path = MOUNT) -> float | None:
    """Return the smallest quota of this process's control groups and their parents, in processors; None if there is none.

    groups, mount  as for `control_groups.directories`
    """
    return min((quota for directory in directories("cpu", groups, mount) for quota in _quotas(directory)), default=None)


def _quotas(directory: Path) -> Iterator[float]:
    """Yield the quota of a group, of version 2 or 1, if it has one."""
    with suppress(OSError, ValueError):  # no such file, or "max"
        allowed, period = map(int, (directory / "cpu.max").read_text().split())
        yield allowed / period
    with suppress(OSError, ValueError):
        allowed = int((directory / "cpu.cfs_quota_us").read_text())
        if allowed > 0:  # -1: none
            yield allowed / int((directory / "cpu.cfs_period_us").read_text())


def warning(threads: int, quota: float | None) -> str | None:
    """Return a warning if the quota throttles this number of threads, otherwise None."""
    if quota is None or quota >= threads:
        return None
    fix = f"give --threads {int(quota)}, or raise it" if quota >= 1 else "raise it"
    stops = f"a CPU quota of {quota:g} processors throttles {counted(threads, 'busy thread')}"
    return f"{stops}, so long epochs look slower than short ones; {fix}"
