"""Files that are whole: written beside their place and then moved there, so that a full disk leaves what was there before."""

from __future__ import annotations

from pathlib import Path


def atomic_write(path: Path, text: str) -> None:
    """Make the text, as UTF-8, what is at the path, in one step. Raises OSError; then what was there stays.

    A link leads to the file that is replaced. What is no file, a pipe or a terminal, is written to.
    """
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    path = path.resolve()
    beside = path.with_name(f".{path.name}.tmp")
    beside.unlink(missing_ok=True)  # of a process that was killed; or a link, which is not followed
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
