"""A temporary directory that does not outlive its process for long, even one that was killed: the next process removes it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "epochbench-"
_LOCK = "in-use"  # held, by flock, for as long as the process lives that it belongs to


@contextmanager
def scratch_dir() -> Iterator[Path]:
    """Yield a new directory; it is removed at the end. So are those of the same user whose process is gone.

    Windows has no such lock, and keeps what a killed process has left.
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
        """Hold the directory's lock."""
        new = directory / f"{_LOCK}.new"
        with new.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            new.rename(directory / _LOCK)  # never there without being held
            yield

    def _sweep(parent: Path) -> None:
        """Remove the scratch directories whose lock no process holds."""
        for left in parent.glob(f"{_PREFIX}*/{_LOCK}"):
            with suppress(OSError):  # another user's, or swept by somebody else at this moment
                if left.parent.stat(follow_symlinks=False).st_uid != os.geteuid():
                    continue
                with left.open("rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left.parent)
