"""Column positions and lines of a CSV. A spreadsheet or pandas may have saved it again, with another order, encoding or compression."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.records.schema import COLUMNS, HEADERS, SCHEMA
from bench.records.writer import PARTIAL
from impls.errors import InputError

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP = b"\x1f\x8b"
_MOST_UNPACKED = 1 << 28  # bytes, many times a large result: a small file may unpack to gigabytes
_INDEX = re.compile(r"|index|Unnamed: \d+")  # the name of a column that pandas adds
_LISTED = 6  # names of missing columns in a message
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class Layout(NamedTuple):
    """The columns of a file.

    schema     of the file
    positions  index in a row of each column of that schema, in the order of the schema
    width      number of cells of a row
    """

    schema: int
    positions: tuple[int, ...]
    width: int

    @classmethod
    def of(cls, header: Sequence[str]) -> Layout | None:
        """Return the layout of a header, in any order and with an index column; None if it is not the header of a run."""
        known = {name: position for position, name in enumerate(header) if not _INDEX.fullmatch(name)}
        duplicates = len(known) < sum(not _INDEX.fullmatch(name) for name in header)
        for schema, columns in HEADERS.items():
            if known.keys() == set(columns) and not duplicates:
                return cls(schema, tuple(known[name] for name in columns), len(header))
        return None

    def row(self, cells: Sequence[str]) -> list[str]:
        """Return the cells of a row in the order of `COLUMNS`; those that an older schema lacks are empty."""
        return [cells[position] for position in self.positions] + [""] * (len(COLUMNS) - len(self.positions))


def layout(path: Path, header: Sequence[str], line: int = 1) -> Layout:
    """Return the layout of a header. Raises InputError, with the cause if it is known, if it is not the header of a run."""
    if found := Layout.of(header):
        return found
    for separator, name in _SEPARATORS.items():
        if len(header) < 3 and ",".join(header).count(separator) > 2:
            raise InputError(path, f"its cells are separated by {name}", "save it as a CSV with commas and decimal points")
    missing = [name for name in HEADERS[1] if name not in header]
    if missing:
        more = f" and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        names = f"column{'s' * (len(missing) > 1)} {', '.join(missing[:_LISTED])}{more}"
        raise InputError(f"{path}, line {line}", f"lacks the {names}", "choose a CSV of this suite")
    raise InputError(
        f"{path}, line {line}",
        f"not a header of schema 1 to {SCHEMA}; it has a repeated or an unknown column",
        "choose a CSV of this suite",
    )


def lines(path: Path) -> Iterator[str]:
    """Yield a file's lines, unpacked if it is gzipped. In a partial file, leave out an incomplete last line.

    Raises InputError if the compressed data is broken or very large, OSError, and UnicodeDecodeError if a line is not UTF-8.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    unpacked = 0
    with gzip.open(path) if packed else path.open("rb") as file:
        try:
            while line := file.readline(_MOST_UNPACKED if packed else -1):
                unpacked += len(line)
                if packed and unpacked >= _MOST_UNPACKED:
                    raise InputError(path, f"unpacks to more than {_MOST_UNPACKED >> 20} MiB", "unpack it to read it")
                if line.endswith(b"\n") or not path.name.endswith(PARTIAL):
                    yield line.removeprefix(_BYTE_ORDER_MARK).decode()
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(path, f"the compressed data is broken ({error})", "compress it again") from error
