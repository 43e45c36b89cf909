"""Crash-safe writer of a run's rows."""

from __future__ import annotations

import csv
import io
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records.formula import escape
from bench.system.files import atomic_write, sync
from impls.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PARTIAL = ".partial.csv"
_FREE = 1 << 16  # bytes that must be free in the results directory: more than most runs need for their rows


class WriteError(OSError):
    """Rows could not be written to disk. The message contains the file and the reason."""


class Writer:
    """Writes a run's rows, all of one dataclass. They are in `<name>.partial.csv` until `close`, then in `<name>.csv`.

    A run that dies leaves a partial file with every added row. If it dies during a write, the last row may be incomplete, and `read`
    leaves it out. If it dies during the first write, it may leave only a hidden file that ends in `.tmp`. No file exists before the
    first row. If the disk is full, the rows stay in memory and are written with the next ones; rows on disk stay there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_suffix(PARTIAL)
        self._rows: list[DataclassInstance] = []
        self._ends: list[int] = []  # end of each row on disk, in bytes

    @property
    def written(self) -> int:
        """Number of rows on disk."""
        return len(self._ends)

    def add(self, rows: Sequence[DataclassInstance]) -> None:
        """Add rows and write them to disk. Raises WriteError."""
        self._rows += rows
        self.save()

    def keep(self, first: int) -> None:
        """Remove all rows except for the `first` ones, also from disk. Raises WriteError."""
        del self._rows[first:]
        self.save()

    def close(self) -> Path:
        """Rename the partial file to its final name and return that. The file must have rows. Raises WriteError."""
        self.save()
        try:
            self.partial.replace(self.path)
        except OSError as error:
            raise WriteError(f"{self.partial}: cannot be renamed ({error.strerror})") from error
        return self.path

    def save(self) -> Path:
        """Write the rows that are not yet on disk, and return the partial file. The time does not depend on the rows already on disk.

        Raises WriteError; the rows on disk then stay there.
        """
        try:
            self._save()
        except OSError as error:
            raise WriteError(f"{self.partial}: cannot be written ({error.strerror})") from error
        return self.partial

    def _save(self) -> None:
        if not self.partial.is_file():  # the user may have removed it
            self._ends.clear()
        del self._ends[len(self._rows) :]
        size = self._ends[-1] if self._ends else 0
        if not size:
            self.partial.unlink(missing_ok=True)  # a link, so as not to follow it; or rows that `keep` removed
        if not self._rows:
            return
        lines = [line(cell(getattr(row, field.name)) for field in fields(row)) for row in self._rows[self.written :]]
        if size:
            self._append(b"".join(lines), size)
        else:
            lines[0] = line(field.name for field in fields(self._rows[0])) + lines[0]
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.partial, b"".join(lines))  # a file with an incomplete header is unreadable
        self._ends += [*accumulate(map(len, lines), initial=size)][1:]

    def _append(self, content: bytes, size: int) -> None:
        """Append to the partial file after its first `size` bytes."""
        with self.partial.open("r+b", buffering=0) as file:
            try:
                file.truncate(size)
                file.seek(size)
                left = memoryview(content)
                while left:  # on a nearly full disk, a write may be incomplete
                    left = left[file.write(left) :]
                sync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise


def new_id(now: datetime) -> str:
    """Return an identifier for a run that starts at `now`: its start and a random part."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_writable(directory: Path, *, option: str = "--results") -> None:
    """Create the directory if it does not exist. Raises InputError if it is not writable, or the disk is full."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_FREE))
    except OSError as error:
        raise InputError(f"{option} {directory}", f"cannot write there ({error.strerror})", "name another directory") from error


def line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, str):
        return escape(value)
    return "" if value is None else value
