"""Atomic file writes, through a temporary file and a rename. If the disk is full, the old file stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_CANNOT_SYNC = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EACCES}


def sync(descriptor: int) -> None:
    """Write a file's data to its disk. Some network file systems and sandboxes cannot. Raises OSError if the disk fails or is full."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def atomic_write(path: Path, content: str | bytes) -> None:
    """Replace the file at the path atomically. Text is encoded as UTF-8. If it raises OSError, the old file is unchanged.

    If the path is a link, replace its target. If it is a pipe or a terminal, write to it.
    """
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.unlink(missing_ok=True)  # a killed process may have left one; if it is a link, do not write to its target
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            sync(file.fileno())  # else a power failure after the rename may leave an empty file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
