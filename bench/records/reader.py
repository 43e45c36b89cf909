"""Reader of untrusted CSVs: checks every cell, and reports errors with file, line and column."""

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

# Not allowed in text: line breaks, terminal control characters, bidirectional overrides, and characters outside XML.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_LONGEST = 1000  # characters of a cell; the suite writes about a hundred
_LEAST, _MOST = 1e-30, 1e30  # of a number that is not 0: measurements are far within these bounds, and their ratios and sums are finite
_TRAINER = COLUMNS.index("trainer")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)  # float() also accepts spaces, underscores and names


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the CSVs at the paths, each once. A directory stands for the CSVs of all finished runs in it and its subdirectories.

    Raises InputError for a directory without such a CSV.
    """
    csvs: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            finished = (file for file in path.rglob("*.csv") if not file.name.endswith(PARTIAL))
            inside = sorted(file for file in finished if file.is_file() and _of_a_run(file))  # opening a named pipe would block
            if not inside:
                raise InputError(f"{path}: contains no CSV of a run; choose another directory")
        csvs += inside
    return list({file.resolve(): file for file in csvs}.values())


def _of_a_run(path: Path) -> bool:
    """Return whether the file starts like the CSV of a run. `versus`, `gate` and other commands write other tables beside them."""
    with path.open("rb") as file:
        return file.read(7) == b"schema,"


def read(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> pd.DataFrame:
    """Return the rows of all files, in order, with one column per field of `Row`. Numbers are numeric; an empty cell is NaN.

    paths   files to read; one may be a concatenation of several, so header lines may repeat
    broken  called with each invalid file and its error; the file is then left out

    Columns that an older schema lacks are empty. A trainer with another name in that schema gets its present name, with a warning.
    Raises InputError with the file, line and column of the first error. With `broken`, raises it only if no valid file is left.
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
        raise InputError(f"{len(paths)} files: none can be read")
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
            if row[:2] == ["schema", "run_id"]:  # the header of the next concatenated file
                schema = _schema(path, row, reader.line_num)
                continue
            columns = len(HEADERS[schema])
            if len(row) != columns:
                raise InputError(f"{path}, line {reader.line_num}: {len(row)} cells instead of {columns}; the row is broken")
            if row[0] != str(schema):
                raise InputError(
                    f"{path}, line {reader.line_num}: schema {_shown(row[0])} under the header of schema {schema}; the row is broken"
                )
            if schema < RENAMED_IN and row[_TRAINER] in RENAMED:
                renamed.add(row[_TRAINER])
                row[_TRAINER] = RENAMED[row[_TRAINER]]
            lines.append(reader.line_num)
            rows.append(row + [""] * (len(COLUMNS) - columns))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}); choose a CSV of this suite") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}; the row is broken") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not rows:
        raise InputError(f"{path}: contains no rows")
    for name in sorted(renamed):
        LOG.warning(f"{path}: renamed trainer {name} to {RENAMED[name]}, its name since schema {RENAMED_IN} of the CSV")
    return [_typed(cells, field, path, lines) for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=True)]


def _lines(path: Path) -> Iterator[str]:
    """Yield a file's lines. In a partial file, leave out an incomplete last line."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n") or not path.name.endswith(PARTIAL):
                yield line.decode()


def neutral(path: Path) -> str:
    """Return the text of a CSV that `read` accepts, with formulas escaped as the writer does."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [escape(unescape(cell)) if field.type is str else cell for cell, field in zip(row, FIELDS, strict=False)]
        for row in csv.reader(_lines(path))
    )
    return out.getvalue()


def _schema(path: Path, header: list[str], line: int = 1) -> int:
    """Return the schema of the header."""
    for schema, columns in HEADERS.items():
        if header == list(columns):
            return schema
    missing = [name for name in HEADERS[1] if name not in header]
    if missing:
        raise InputError(f"{path}: line {line} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; choose a CSV of this suite")
    raise InputError(f"{path}: line {line} is not a header of schema 1 to {SCHEMA}; check the names and the order of its columns")


def _typed(cells: Sequence[str], field: Field, path: Path, lines: Sequence[int]) -> Cells:
    """Return a column's cells in its type. Raises InputError with the first invalid line."""
    import numpy as np

    values, wrong = {}, {}
    for cell in set(cells):  # most columns have few distinct values
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
    """Return the value of a cell of the field. Raises ValueError with the expected form."""
    if len(cell) > _LONGEST:
        raise ValueError(f"a text of up to {_LONGEST:,} characters")
    if field.type is str:
        if _CONTROL.search(cell):
            raise ValueError("a single line of text")
        return sys.intern(unescape(cell))  # all rows share one copy in memory
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
