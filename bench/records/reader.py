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
from bench.records.layout import layout, lines
from bench.records.schema import COLUMNS, FIELDS, HEADERS, RENAMED, RENAMED_IN, Field
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
# Texts that a spreadsheet rewrites: a date in another form, digits as a number such as 1.23E+11.
_FORMS = {
    "started_at": (re.compile(r"\d{4}-\d\d-\d\d(T.*)?"), "a date such as 2026-01-31T12:00:00+00:00; a spreadsheet may have rewritten it"),
    "commit": (re.compile(r"[0-9a-f]*"), "a commit in hexadecimal digits; a spreadsheet may have rewritten it"),
}
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)  # float() also accepts spaces, underscores and names


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the CSVs at the paths, each once. A directory stands for the CSVs of all finished runs in it and its subdirectories.

    Raises InputError for a directory without such a CSV.
    """
    csvs: list[Path] = []
    for path in paths:
        inside = [path]
        if path.is_dir():
            finished = (file for pattern in ("*.csv", "*.csv.gz") for file in path.rglob(pattern) if not file.name.endswith(PARTIAL))
            inside = sorted(file for file in finished if file.is_file() and _of_a_run(file))  # opening a named pipe would block
            if not inside:
                raise InputError(path, "contains no CSV of a run", "choose another directory")
        csvs += inside
    return list({file.resolve(): file for file in csvs}.values())


def _of_a_run(path: Path) -> bool:
    """Return whether the file has the header of a run, even with mistakes. Other commands write other tables into the same directories."""
    try:
        header = next(csv.reader(lines(path)), [])
    except (InputError, UnicodeDecodeError, csv.Error, OSError):
        return False
    return "schema" in set(re.split(r"[,;\t|]", ",".join(header)))


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
        raise InputError(f"{len(paths)} files", "none can be read")
    joined = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    return pd.DataFrame(
        {field.name: pd.Series(cells, dtype=str) if field.type is str else cells for field, cells in zip(FIELDS, joined, strict=True)}
    )


def _read(path: Path) -> list[Cells]:
    numbers, rows = [], []
    renamed: set[str] = set()
    for number, schema, row in _rows(path):
        if schema < RENAMED_IN and row[_TRAINER] in RENAMED:
            renamed.add(row[_TRAINER])
            row[_TRAINER] = RENAMED[row[_TRAINER]]
        numbers.append(number)
        rows.append(row)
    for name in sorted(renamed):
        LOG.warning(f"{path}: renamed trainer {name} to {RENAMED[name]}, its name since schema {RENAMED_IN} of the CSV")
    return [_typed(cells, field, path, numbers) for field, cells in zip(FIELDS, zip(*rows, strict=True), strict=True)]


def _rows(path: Path) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the rows of a file: the number of the line, the schema, and the cells in the order of `COLUMNS`.

    A concatenation of files has several headers. A spreadsheet may add rows of empty cells. Raises InputError if there are no other rows.
    """
    empty = True
    try:
        reader = csv.reader(lines(path), strict=True)
        here = layout(path, next(reader, []))
        for cells in reader:
            if not any(cells):
                continue
            if "schema" in cells and "run_id" in cells:
                here = layout(path, cells, reader.line_num)
                continue
            if len(cells) != here.width:
                raise InputError(f"{path}, line {reader.line_num}", f"{len(cells)} cells instead of {here.width}", "the row is broken")
            row = here.row(cells)
            if row[0] != str(here.schema):
                raise InputError(
                    f"{path}, line {reader.line_num}",
                    f"schema {_shown(row[0])} under the header of schema {here.schema}",
                    "the row is broken",
                )
            empty = False
            yield reader.line_num, here.schema, row
    except UnicodeDecodeError as error:
        raise InputError(path, f"not UTF-8 text ({error.reason})", "save it as UTF-8, or choose a CSV of this suite") from error
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", error, "the row is broken") from error
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from error
    if empty:
        raise InputError(path, "contains no rows")


def neutral(path: Path) -> str:
    """Return the text of a CSV that `read` accepts, with formulas escaped as the writer does, as a file of its own schema."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    last = 0
    for _, schema, row in _rows(path):
        if schema != last:
            writer.writerow(HEADERS[schema])
            last = schema
        cells = zip(row, FIELDS, strict=True)
        writer.writerow([escape(unescape(cell)) if field.type is str else cell for cell, field in cells][: len(HEADERS[schema])])
    return out.getvalue()


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
        raise InputError(f"{path}, line {line}, column {field.name}", f"{_shown(cell)} is not {wrong[cell]}")
    dtype = {str: object, int: np.int64, bool: np.bool_, float: np.float64}[field.type]
    return np.fromiter(map(values.__getitem__, cells), dtype, len(cells))


def _value(cell: str, field: Field) -> str | bool | float | int:
    """Return the value of a cell of the field. Raises ValueError with the expected form."""
    if len(cell) > _LONGEST:
        raise ValueError(f"a text of up to {_LONGEST:,} characters")
    if field.type is str:
        if _CONTROL.search(cell):
            raise ValueError("a single line of text")
        form, expected = _FORMS.get(field.name, (None, ""))
        if form and not form.fullmatch(cell):
            raise ValueError(expected)
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
