"""Fuzz target for the CSV reader."""

from __future__ import annotations

import csv
import io
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from bench import records
from bench.records import COLUMNS, Row, Writer
from bench.records.schema import FIELDS, HEADERS
from bench.records.writer import cell
from impls import InputError
from tests.support.fuzz.drawing import NUMBERS, UNREADABLE, changed, text
from tests.support.fuzz.refusing import check_one_line
from tests.support.rows import ROW

_CELLS = [str(cell(value)) for value in astuple(ROW)]


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Draw a CSV of parts of any schema version, with possibly wrong cells, rows, headers and bytes."""
    lines: list[list[str]] = []
    for _ in range(draw(st.integers(1, 3))):
        schema, header = draw(st.sampled_from(sorted(HEADERS.items())))
        lines.append(list(header))
        for _ in range(draw(st.integers(0, 3))):
            cells = [str(schema), *_CELLS[1 : len(header)]]
            for _ in range(draw(st.integers(0, 2))):
                position = draw(st.integers(0, len(cells) - 1))
                cells[position] = draw(st.sampled_from(NUMBERS) | st.sampled_from(UNREADABLE) | text | st.just(cells[position]))
            lines.append(cells)
    if draw(st.integers(0, 5)) == 0:  # a header or row that is too short or too long, or repeats a column
        line = draw(st.sampled_from(lines))
        position = draw(st.integers(0, len(line) - 1))
        line[position : position + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(COLUMNS), max_size=2))
    file = io.StringIO()
    csv.writer(
        file, lineterminator=draw(st.sampled_from(("\n", "\n", "\r\n", "\n\n"))), quoting=draw(st.sampled_from((0, 0, 1)))
    ).writerows(lines)
    content = draw(st.sampled_from((b"",) * 9 + (b"\xef\xbb\xbf", b"\n"))) + file.getvalue().encode()
    return (
        draw(changed(content, (b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf"))) if draw(st.integers(0, 3)) == 0 else content
    )


def csv_reader(content: bytes, directory: Path) -> bool:
    """Read the file. If the reader accepts it, check that writing and reading it again gives the same values."""
    path = directory / "run.csv"
    path.write_bytes(content)
    try:
        table = records.read([path])
    except InputError as error:
        check_one_line(error)
        return False
    writer = Writer(directory / "again.csv")
    writer.add(_rows(table))
    again = records.read([writer.close()])
    for column in FIELDS:
        if column.name != "schema":
            one, other = table[column.name], again[column.name]
            same = np.allclose(one, other, rtol=1e-8, atol=0, equal_nan=True) if one.dtype == float else one.equals(other)
            assert same, f"{column.name}: {one.tolist()} came back as {other.tolist()}"
    return True


def _rows(table: Any) -> list[Row]:
    def value(cell: Any) -> Any:
        return None if cell != cell else cell.item() if isinstance(cell, np.generic) else cell

    return [Row(**{str(name): value(cell) for name, cell in row.items()} | {"schema": records.SCHEMA}) for row in table.to_dict("records")]
