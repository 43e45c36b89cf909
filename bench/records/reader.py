"""Reading CSVs that may come from anybody: as text and numbers, every cell checked, errors with file, line and column."""

from __future__ import annotations

import csv
import io
import logging
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.records.formula import escape, unescape
from bench.records.schema import COLUMNS, FIELDS, HEADERS, RENAMED, RENAMED_IN, SCHEMA, Field
from bench.records.writer import PARTIAL
from impls.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    Cells = npt.NDArray[np.generic]

LOG = logging.getLogger(__name__)

# What is no text on a line: line breaks, what commands a terminal or turns the order of all that follows, what XML does not know.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_LONGEST = 1000  # characters of a cell; an honest one has a hundred
_LEAST, _MOST = 1e-30, 1e30  # of a number that is not 0: nothing measured is near, and ratios and sums of such are finite
_TRAINER = COLUMNS.index("trainer")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)  # float() also takes spaces, underscores and names


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the CSVs that the paths stand for, each once: of a directory, all of finished runs in it and below.

    Raises InputError for a directory that has none.
    """
    csvs: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            finished = (file for file in path.rglob("*.csv") if not file.name.endswith(PARTIAL))
            inside = sorted(file for file in finished if file.is_file() and _of_a_run(file))  # a pipe would be waited for
            if not inside:
                raise InputError(f"{path}: no CSV of a run is in it")
        csvs += inside
    return list({file.resolve(): file for file in csvs}.values())


def _of_a_run(path: Path) -> bool:
    """Return whether the file begins as a run's does: `versus`, `gate` and others leave tables of their own among them."""
    with path.open("rb") as file:
        return file.read(7) == b"schema,"


def read(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> pd.DataFrame:
    """Return the rows of all files, in order, one column a field of `Row`, with numbers as numbers (no value: NaN).

    A file may be several concatenated ones: header lines may come again. What an older schema does not have is empty; a trainer that had
    another name then has its present one, and a warning says so.
    Raises InputError that names the file, the line and the column if a file is no such CSV; if `broken` is given it is told that
    instead, the file is left out, and only if no file is left an error is raised.
    """
    import numpy as np
    import pandas as pd

    columns: list[list[Cells]] = []
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
        {field.name: pd.Series(cells, dtype=str) if field.type is str else cells for field, cells in zip(FIELDS, joined, strict=True)}
    )


def _read(path: Path) -> list[Cells]:
    lines, rows = [], []
    renamed: set[str] = set()
    try:
        reader = csv.reader(_lines(path), strict=True)
        schema = _schema(path, next(reader, []))
        for row in reader:
            if row[:2] == ["schema", "run_id"]:  # files that were put together
                schema = _schema(path, row, reader.line_num)
                continue
            columns = len(HEADERS[schema])
            if len(row) != columns:
                raise InputError(f"{path}, line {reader.line_num}: {len(row)} cells instead of {columns}; the row is broken")
            if row[0] != str(schema):
                raise InputError(f"{path}, line {reader.line_num}: schema {_shown(row[0])} under a header of schema {schema}")
            if schema < RENAMED_IN and row[_TRAINER] in RENAMED:
                renamed.add(row[_TRAINER])
                row[_TRAINER] = RENAMED[row[_TRAINER]]
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
    for name in sorted(renamed):
        LOG.warning(f"{path}: {name} is read as {RENAMED[name]}, its name since schema {RENAMED_IN} of the CSV")
    return [_typed(cells, field, path, lines) for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=True)]


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines; of a partial one, not that which a run was writing when it died."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or not path.name.endswith(PARTIAL):
                yield line.decode()


def neutral(path: Path) -> str:
    """Return the text of a CSV that `read` accepts: the lines that it reads, every formula made plain text as the writer does."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [escape(unescape(cell)) if field.type is str else cell for cell, field in zip(row, FIELDS, strict=False)]
        for row in csv.reader(_lines(path))
    )
    return out.getvalue()


def _schema(path: Path, header: list[str], line: int = 1) -> int:
    """Return the schema whose header this is."""
    for schema, columns in HEADERS.items():
        if header == list(columns):
            return schema
    missing = [name for name in HEADERS[1] if name not in header]
    if missing:
        raise InputError(f"{path}: line {line} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; is it a CSV of this suite?")
    raise InputError(f"{path}: line {line} does not name the columns of a schema that this version reads, 1 to {SCHEMA}, in their order")


def _typed(cells: Sequence[str], field: Field, path: Path, lines: Sequence[int]) -> Cells:
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
    dtype = {str: object, int: np.int64, bool: np.bool_, float: np.float64}[field.type]
    return np.fromiter(map(values.__getitem__, cells), dtype, len(cells))


def _value(cell: str, field: Field) -> str | bool | float | int:
    """Return what a cell of the field says. Raises ValueError with what it should be."""
    if len(cell) > _LONGEST:
        raise ValueError(f"of {_LONGEST:,} characters at most")
    if field.type is str:
        if _CONTROL.search(cell):
            raise ValueError("a single line of text")
        return sys.intern(unescape(cell))  # once in memory, however many rows have it
    if field.type is bool:
        if cell not in ("", "0", "1"):
            raise ValueError("0 or 1")
        return cell == "1"
    if field.optional and not cell:
        return math.nan
    number = float(cell) if _NUMBER.fullmatch(cell) else -1.0
    if not 0 <= number < math.inf:
        raise ValueError("a finite number, 0 or more")
    if field.column.positive and not number:
        raise ValueError("above 0")
    if number and not _LEAST <= number <= _MOST:
        raise ValueError(f"between {_LEAST:g} and {_MOST:g}")
    if field.type is not int:
        return number
    whole = int(cell) if cell.isdecimal() else int(number)  # a float holds 16 digits, a seed may have 19
    if number != int(number) or whole >= 2**63:
        raise ValueError("a whole number below 2^63")
    return whole


def _shown(cell: str) -> str:
    return repr(cell) if len(cell) <= 100 else f"{cell[:100]!r}..."
