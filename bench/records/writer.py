"""Writing a run's rows: a run that dies leaves the rows so far, and a file never holds half a row."""

from __future__ import annotations

import csv
import io
import os
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records.formula import escape
from bench.system.files import atomic_write
from impls.errors import InputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

PARTIAL = ".partial.csv"
_FREE = 1 << 16  # bytes that must be free where results go: more than most runs need for their rows


class WriteError(OSError):
    """Rows could not be put on the disk. The message names the file and the reason."""


class Writer:
    """Writes a run's rows, of one dataclass. Until `close` they are in `<name>.partial.csv`; then in `<name>.csv`.

    A run that dies leaves the partial file, with every row that was added. If it dies while a row is being written, that row may be
    cut short: `read` leaves it out. If it dies while it writes its first rows, there may be a hidden file that ends in `.tmp`, and no
    other. Nothing is written before the first row. Rows that cannot be written, because the disk is full, are kept and written with
    the next ones; what is on the disk already stays there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_suffix(PARTIAL)
        self._rows: list[DataclassInstance] = []
        self._ends: list[int] = []  # of each row on the disk, in bytes

    @property
    def written(self) -> int:
        """How many rows are on the disk."""
        return len(self._ends)

    def add(self, rows: Sequence[DataclassInstance]) -> None:
        """Add rows and put them on the disk. Raises WriteError."""
        self._rows += rows
        self.save()

    def keep(self, first: int) -> None:
        """Take all rows back but the first ones, so many, from the disk too. Raises WriteError."""
        del self._rows[first:]
        self.save()

    def close(self) -> Path:
        """Give the file, which must have rows, its name, and return it. Raises WriteError."""
        self.save()
        try:
            self.partial.replace(self.path)
        except OSError as error:
            raise WriteError(f"{self.partial} cannot be renamed: {error.strerror}") from error
        return self.path

    def save(self) -> Path:
        """Put on the disk what is not there yet, in a time that does not depend on what is, and return the partial file.

        Raises WriteError; the rows on the disk stay there then.
        """
        try:
            self._save()
        except OSError as error:
            raise WriteError(f"{self.partial} cannot be written: {error.strerror}") from error
        return self.partial

    def _save(self) -> None:
        if not self.partial.is_file():  # somebody may have removed it
            self._ends.clear()
        del self._ends[len(self._rows) :]
        size = self._ends[-1] if self._ends else 0
        if not size:
            self.partial.unlink(missing_ok=True)  # a link, which is not followed; or the rows that were taken back
        if not self._rows:
            return
        lines = [line(cell(getattr(row, field.name)) for field in fields(row)) for row in self._rows[self.written :]]
        if size:
            self._append(b"".join(lines), size)
        else:
            lines[0] = line(field.name for field in fields(self._rows[0])) + lines[0]
            self.partial.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(self.partial, b"".join(lines))  # a file without its whole header could not be read
        self._ends += [*accumulate(map(len, lines), initial=size)][1:]

    def _append(self, content: bytes, size: int) -> None:
        """Append to the partial file, of which `size` bytes are kept."""
        with self.partial.open("r+b", buffering=0) as file:
            try:
                file.truncate(size)
                file.seek(size)
                left = memoryview(content)
                while left:  # a write may stop short of a full disk
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise


def new_id(now: datetime) -> str:
    """Return a name for a run that starts now: its start and a random part."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_writable(directory: Path, *, option: str = "--results") -> None:
    """Make the directory if need be. Raises InputError if files cannot be created in it, or the disk is full."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_FREE))
    except OSError as error:
        raise InputError(f"{option} {directory}: cannot write there ({error.strerror}); name another directory") from error


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
