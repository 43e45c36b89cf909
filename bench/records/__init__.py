"""The CSV: one row a timed epoch, each file self-contained. Schema, writing without half a file, reading without trust."""

from __future__ import annotations

import csv
import io
import math
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import Field, dataclass, fields
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impls.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from _typeshed import DataclassInstance

    Column = npt.NDArray[np.generic]


@dataclass(frozen=True, slots=True)
class Row:
    """One epoch. The fields are the file's columns, in order; empty text or None is an empty cell: not known, or there is none."""

    schema: int  # version of this list
    run_id: str  # the same for all rows of a run: its start and a random part
    started_at: str  # of the run, UTC, ISO 8601
    commit: str  # of the code under test
    dirty: bool | None  # whether the suite's code, or the trainer's, was other than in that commit
    kind: str  # "timing": every round starts from the same weights; "training": round after round on from the last
    workload: str
    dataset: str  # "mnist", or "idx-" and the first digits of the data's checksum
    layers: str  # widths, joined by hyphens
    batch_size: int
    learning_rate: float
    dtype: str
    examples: int  # in the epoch
    seed: int
    trainer: str
    library: str  # that does the arithmetic, with its version
    device: str  # "cpu" or "gpu"
    threads: int  # and processors that the process was held to
    ranks: int  # processes that shared the epoch
    round: int  # from 1; of "training" rows, the epoch's number
    seconds: float  # wall time of train_epoch
    max_error: float  # the verification's, against the float64 loop, relative to the distance trained
    accuracy: float  # fraction of the test images named rightly after the epoch
    flops: int  # floating-point operations of the epoch's matrix products
    fraction_of_limit: float | None  # the least time this machine would need for the epoch's work, over `seconds`
    machine: str
    cpu: str
    cores: int  # physical, of the machine
    memory_gib: float
    gpu: str
    gpu_driver: str
    os: str
    python: str
    numpy: str
    blas: str
    blas_kernels: str  # that the BLAS chose for this processor
    cuda: str
    gpu_memory_gib: float | None
    gpu_clock_mhz: float | None  # the highest
    bytes: float | None  # that the epoch moves to and from memory at least
    peak_flops: float | None  # operations a second that the device does at most, of this dtype, with these threads
    peak_bytes: float | None  # bytes a second that it moves at most
    launch_seconds: float | None  # of a kernel, on a GPU
    graph_node_seconds: float | None  # of a kernel in a CUDA graph
    load: float | None  # share of the processors' time that other processes took meanwhile
    steal: float | None  # and other virtual machines
    flops_after: (
        float | None
    )  # operations a second that the device did right after the case, if it was measured then; peak_flops is the run's best


COLUMNS = tuple(field.name for field in fields(Row))
_LAST = {1: "cuda", 2: "graph_node_seconds", 3: "flops_after"}  # column of each schema; the next one begins after it
_HEADERS = {schema: COLUMNS[: COLUMNS.index(last) + 1] for schema, last in _LAST.items()}
SCHEMA = max(_HEADERS)

# What makes two rows comparable: only a trainer's and a machine's columns may differ.
JOB = ("workload", "dataset", "layers", "batch_size", "learning_rate", "dtype", "examples", "seed")

_PARTIAL = ".partial.csv"
_POSITIVE = ("seconds", "examples", "batch_size", "threads", "ranks", "round")
_ROOM = 1 << 16  # bytes that must be free where results go: more than most runs need for their rows
# What is no text on a line: line breaks, what commands a terminal or turns the order of all that follows, what XML does not know.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_LONGEST = 1000  # characters of a cell; an honest one has a hundred
_LEAST, _MOST = 1e-30, 1e30  # of a number that is not 0: nothing measured is near, and ratios and sums of such are finite
# What a spreadsheet takes for a formula is written behind an apostrophe, which it takes for text; and what then looks like that is, too.
_FORMULA = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)  # float() also takes spaces, underscores and names


class WriteError(OSError):
    """Rows could not be put on the disk. The message names the file and the reason."""


class Writer:
    """Writes a run's rows, of one dataclass. Until `close` they are in `<name>.partial.csv`; then in `<name>.csv`.

    A run that dies leaves the partial file, with every row that was added. If it dies while a row is being written, that row may be
    cut short: `read` leaves it out. Nothing is written before the first row. Rows that cannot be written, because the disk is full,
    are kept and written with the next ones; what is on the disk already stays there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_suffix(_PARTIAL)
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
            self.partial.unlink(missing_ok=True)  # of a write that failed; or a link, which is not followed
        if not self._rows:
            return
        lines = [_line(_cell(getattr(row, field.name)) for field in fields(row)) for row in self._rows[self.written :]]
        if not size:
            lines[0] = _line(field.name for field in fields(self._rows[0])) + lines[0]
        self.partial.parent.mkdir(parents=True, exist_ok=True)
        with self.partial.open("r+b" if size else "xb", buffering=0) as file:
            try:
                file.truncate(size)
                file.seek(size)
                left = memoryview(b"".join(lines))
                while left:  # a write may stop short of a full disk
                    left = left[file.write(left) :]
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(size)
                raise
        self._ends += [*accumulate(map(len, lines), initial=size)][1:]


def new_id(now: datetime) -> str:
    """Return a name for a run that starts now: its start and a random part."""
    return f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def check_writable(directory: Path, *, option: str = "--results") -> None:
    """Make the directory if need be. Raises InputError if files cannot be created in it, or the disk is full."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            file.write(bytes(_ROOM))
    except OSError as error:
        raise InputError(f"{option} {directory}: cannot write there ({error.strerror}); name another directory") from error


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the CSVs that the paths stand for, each once: of a directory, all of finished runs in it and below.

    Raises InputError for a directory that has none.
    """
    found: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            finished = (file for file in path.rglob("*.csv") if not file.name.endswith(_PARTIAL))
            inside = sorted(file for file in finished if file.is_file() and _of_a_run(file))  # a pipe would be waited for
            if not inside:
                raise InputError(f"{path}: no CSV of a run is in it")
        found += inside
    return list({file.resolve(): file for file in found}.values())


def _of_a_run(path: Path) -> bool:
    """Return whether the file begins as a run's does: `versus`, `gate` and others leave tables of their own among them."""
    with path.open("rb") as file:
        return file.read(7) == b"schema,"


def read(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> pd.DataFrame:
    """Return the rows of all files, in order, one column a field of `Row`, with numbers as numbers (no value: NaN).

    A file may be several concatenated ones: header lines may come again. What an older schema does not have is empty.
    Raises InputError that names the file, the line and the column if a file is no such CSV; if `broken` is given it is told that
    instead, the file is left out, and only if no file is left an error is raised.
    """
    import numpy as np
    import pandas as pd

    columns: list[list[Column]] = []
    for path in paths:
        try:
            columns.append(_read(Path(path)))
        except InputError as error:
            if broken is None:
                raise
            broken(path, error)
    if not columns:
        raise InputError(f"none of {len(paths)} files can be read")
    joined = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return pd.DataFrame(
        {
            field.name: pd.Series(cells, dtype=str) if field.type == "str" else cells
            for field, cells in zip(fields(Row), joined, strict=True)
        }
    )


def _read(path: Path) -> list[Column]:
    lines, rows = [], []
    try:
        reader = csv.reader(_lines(path), strict=True)
        schema = _schema(path, next(reader, []))
        for row in reader:
            if row[:2] == ["schema", "run_id"]:  # files that were put together
                schema = _schema(path, row, reader.line_num)
                continue
            columns = len(_HEADERS[schema])
            if len(row) != columns:
                raise InputError(f"{path}, line {reader.line_num}: {len(row)} cells instead of {columns}; the row is broken")
            if row[0] != str(schema):
                raise InputError(f"{path}, line {reader.line_num}: schema {_shown(row[0])} under a header of schema {schema}")
            lines.append(reader.line_num)
            rows.append(row + [""] * (len(COLUMNS) - columns))
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text ({error.reason}); is it a CSV of this suite?") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; the row is broken") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if not rows:
        raise InputError(f"{path} holds no rows")
    return [_typed(cells, field, path, lines) for field, cells in zip(fields(Row), zip(*rows, strict=True), strict=True)]


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines; of a partial one, not that which a run was writing when it died."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or not path.name.endswith(_PARTIAL):
                yield line.decode()


def neutral(path: Path) -> str:
    """Return the text of a CSV that `read` accepts: the lines that it reads, every formula made plain text as the writer does."""
    texts = [field.type == "str" for field in fields(Row)]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [_cell(_text(cell)) if text else cell for cell, text in zip(row, texts, strict=False)] for row in csv.reader(_lines(path))
    )
    return out.getvalue()


def _text(cell: str) -> str:
    """Return the text that a cell stands for."""
    return cell.removeprefix("'") if _FORMULA.match(cell) else cell


def _schema(path: Path, header: list[str], line: int = 1) -> int:
    """Return the schema whose header this is."""
    for schema, columns in _HEADERS.items():
        if header == list(columns):
            return schema
    missing = [name for name in _HEADERS[1] if name not in header]
    if missing:
        raise InputError(f"{path}: line {line} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; is it a CSV of this suite?")
    raise InputError(f"{path}: line {line} does not name the columns of a schema that this version reads, 1 to {SCHEMA}, in their order")


def _typed(cells: Sequence[str], field: Field[Any], path: Path, lines: Sequence[int]) -> Column:
    """Return a column's cells as its type; raise InputError with the first line that is none."""
    import numpy as np

    values, wrong = {}, {}
    for cell in set(cells):  # most columns say the same in every row
        try:
            values[cell] = _value(cell, field)
        except ValueError as error:
            wrong[cell] = error
    if wrong:
        line, cell = next((line, cell) for line, cell in zip(lines, cells, strict=True) if cell in wrong)
        raise InputError(f"{path}, line {line}, column {field.name}: {_shown(cell)} is not {wrong[cell]}")
    dtype = {"str": object, "int": np.int64, "bool": np.bool_}.get(str(field.type).split(" ")[0], np.float64)
    return np.fromiter(map(values.__getitem__, cells), dtype, len(cells))


def _value(cell: str, field: Field[Any]) -> str | bool | float | int:
    """Return what a cell of the field says. Raises ValueError with what it should be."""
    kind, _, optional = str(field.type).partition(" | ")
    if len(cell) > _LONGEST:
        raise ValueError(f"of {_LONGEST:,} characters at most")
    if kind == "str":
        if _CONTROL.search(cell):
            raise ValueError("a single line of text")
        return sys.intern(_text(cell))  # once in memory, however many rows have it
    if kind == "bool":
        if cell not in ("", "0", "1"):
            raise ValueError("0 or 1")
        return cell == "1"
    if optional and not cell:
        return math.nan
    number = float(cell) if _NUMBER.fullmatch(cell) else -1.0
    if not 0 <= number < math.inf:
        raise ValueError("a finite number, 0 or more")
    if field.name in _POSITIVE and not number:
        raise ValueError("above 0")
    if number and not _LEAST <= number <= _MOST:
        raise ValueError(f"between {_LEAST:g} and {_MOST:g}")
    if kind != "int":
        return number
    whole = int(cell) if cell.isdecimal() else int(number)  # a float holds 16 digits, a seed may have 19
    if number != int(number) or whole >= 2**63:
        raise ValueError("a whole number below 2^63")
    return whole


def _shown(cell: str) -> str:
    return repr(cell) if len(cell) <= 100 else f"{cell[:100]!r}..."


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, str):
        return f"'{value}" if _FORMULA.match(value) else value
    return "" if value is None else value
