"""Files that are whole: written beside their place and then moved there, so that a full disk leaves what was there before."""

from __future__ import annotations

import os
from pathlib import Path


def atomic_write(path: Path, content: str | bytes) -> None:
    """Replace the file at the path by the content, text as UTF-8, in one step. Raises OSError and leaves the old file then.

    A link leads to the file that is replaced. A pipe or a terminal is written to.
    """
    content = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.tmp")
    beside.unlink(missing_ok=True)  # of a process that was killed; or a link, which is not followed
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # or a power failure may leave the new name with nothing in it
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
