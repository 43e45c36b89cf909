"""Fuzz targets for the commands that read a CSV, with valid but hostile rows."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from hypothesis import strategies as st

from bench.records import Row, Writer
from bench.records.schema import FIELDS, Field
from tests.support.fuzz.drawing import NUMBERS, text
from tests.support.fuzz.refusing import run_command
from tests.support.pages import part
from tests.support.rows import rows

_READABLE = [text for text in NUMBERS if text in ("0", "1", "0.5", "1e30", "1e-30", "9223372036854775807")]
_WORKLOADS = ("nielsen", "wide", "h30-b1", "h30-b10", "h100-b1", "h100-b10")
_JOBS = [(workload, trainer) for workload in _WORKLOADS for trainer in ("loop", "matrix", "gpu")]


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Draw valid but hostile rows: extreme numbers, unusual names, workloads and machines that differ in any column."""
    drawn_rows: list[Row] = []
    for number in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(_JOBS), min_size=1, max_size=6, unique=True))
        common = {"run_id": f"r{number}"} | draw(_columns)
        made = [replace(row, **common) for row in rows({name: [0.1 + position, 0.2] for position, name in enumerate(names)})]
        for _ in range(draw(st.integers(0, 3))):
            position = draw(st.integers(0, len(made) - 1))
            made[position] = replace(made[position], **draw(_columns))
        drawn_rows += made
    return drawn_rows


def _typed(field: Field) -> st.SearchStrategy[Any]:
    if field.type is str:
        return st.sampled_from(("timing", "training")) if field.name == "kind" else text
    if field.type is bool:
        return st.booleans()
    numbers = [float(text) for text in _READABLE] if field.type is float else [0, 1, 2**53 + 1, 2**63 - 1]
    return st.sampled_from([n for n in numbers if n or not field.column.positive])


_columns = st.fixed_dictionaries({}, optional={f.name: _typed(f) for f in FIELDS if f.name != "schema"}).map(
    lambda drawn: dict(list(drawn.items())[:4])
)
_COMMANDS = (
    ("compare",),
    ("compare", "--json"),
    ("compare", "--markdown"),
    ("compare", "--over-time"),
    ("compare", "--over-time", "--json"),
    ("check",),
)


def tell(drawn_rows: list[Row], directory: Path) -> bool:
    """Run every command that prints an analysis of the rows."""
    path = _file(drawn_rows, directory)
    for command in _COMMANDS:
        code, output = run_command([*command, str(path)])
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", output)
        if "--json" in command and code == 0:
            json.loads(output, parse_constant=_no_number)
        for line in output.splitlines() if "--markdown" in command else ():
            assert not re.search(r"(?<!\\)[<>]", line.replace("<br>", "")), line
    return True


def report(drawn_rows: list[Row], directory: Path) -> bool:
    """Write the HTML report."""
    code, _ = run_command(["report", str(_file(drawn_rows, directory)), "-o", str(directory / "out" / "report.html")])
    file = directory / "out" / "report.html"
    assert code == 0
    page = file.read_text(encoding="utf-8")
    assert page.count("</script>") == page.count("<script") == 4
    assert "<img src=x" not in page
    json.loads(part(file, "figures"), parse_constant=_no_number)
    return _inside(directory)


def charts(drawn_rows: list[Row], directory: Path) -> bool:
    """Draw every chart."""
    path = _file(drawn_rows, directory)
    for command in (["plot", str(path)], ["compare", str(path)], ["compare", "--over-time", str(path)]):
        code, _ = run_command([*command, "-o", str(directory / "out")])
        assert code in (0, 2, 3)
    for drawing in (directory / "out").glob("*.svg"):
        ElementTree.parse(drawing)
    return _inside(directory)


def _file(drawn_rows: list[Row], directory: Path) -> Path:
    writer = Writer(directory / "run.csv")
    writer.add(drawn_rows)
    return writer.close()


def _no_number(name: str) -> None:
    raise AssertionError(f"{name} in the JSON")


def _inside(directory: Path) -> bool:
    assert {path.name for path in directory.iterdir()} <= {"run.csv", "out"}
    return True
