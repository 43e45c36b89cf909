"""Directories of Linux control groups, versions 1 and 2, with the limits of this process. Containers set such limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def directories(controller: str, groups: Path = GROUPS, mount: Path = MOUNT) -> Iterator[Path]:
    """Yield the directories with limits of a controller ("cpu", "memory"): of this process's groups, and of their parents.

    groups  file with the process's groups, one per line: NUMBER:CONTROLLERS:PATH, without controllers for version 2
    mount   directory where their file systems are mounted. In a container its root may be the process's group, and PATH is then wrong
    A directory may not exist. On other systems than Linux, yields nothing.
    """
    try:
        lines = groups.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        for root in (mount / controllers, mount / controller) if controllers else (mount, mount / "unified"):
            group = root / path.lstrip("/")
            yield from (directory for directory in (group, *group.parents) if directory == root or root in directory.parents)
