"""Scratch directory, cleaned up even after a kill: the next process removes it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "epochbench-"
_LOCK = "in-use"  # lock file: its process holds an flock on it until the process ends


@contextmanager
def scratch_dir() -> Iterator[Path]:
    """Yield a new directory and remove it at the end. First remove this user's scratch directories whose process has ended.

    Windows has no flock, so there the directory of a killed process stays.
    """
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as directory, _occupied(Path(directory)):
        yield Path(directory)


if sys.platform == "win32":

    @contextmanager
    def _occupied(directory: Path) -> Iterator[None]:
        yield

    def _sweep(parent: Path) -> None:
        pass

else:
    import fcntl

    @contextmanager
    def _occupied(directory: Path) -> Iterator[None]:
        """Lock the directory."""
        new = directory / f"{_LOCK}.new"
        with new.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            new.rename(directory / _LOCK)  # renamed only once it is locked, so _sweep never sees it unlocked
            yield

    def _sweep(parent: Path) -> None:
        """Remove the scratch directories whose lock file no process has locked."""
        for lock in parent.glob(f"{_PREFIX}*/{_LOCK}"):
            with suppress(OSError):  # locked, owned by another user, or being removed by another process
                if lock.parent.stat(follow_symlinks=False).st_uid != os.geteuid():
                    continue
                with lock.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock.parent)
