"""Linux control groups, versions 1 and 2: where they keep the limits of this process. Containers set such limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

GROUPS, MOUNT = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def directories(controller: str, groups: Path = GROUPS, mount: Path = MOUNT) -> Iterator[Path]:
    """Yield the directories with limits of a controller ("cpu", "memory"): of this process's groups, and of their parents.

    groups  the process's groups, a line each: NUMBER:CONTROLLERS:PATH, without controllers for version 2
    mount   of the groups' file systems. In a container its root may be the group itself, which PATH then names wrongly
    A directory may not exist. Outside of Linux, there are none.
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
