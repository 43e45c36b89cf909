"""Hostile input for all that reads what strangers made, at any length: `python -m tests.support.fuzz [TARGET ...] --inputs 100000`.

An input is a valid file or command line with a few things changed, so that it gets past the first check. A target says whether
it was accepted or refused in a declared way, and raises whatever else happens; what is accepted must mean what it says.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import faulthandler
import gzip
import io
import json
import math
import re
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bench import records
from bench.__main__ import _parser, main
from bench.options import declare, parse
from bench.records import COLUMNS, Row, Writer
from bench.records.schema import FIELDS, HEADERS, Field
from bench.records.writer import cell
from impls import InputError, read_directory, read_idx
from tests.support.rows import ROW, rows

_PATIENCE = 600  # seconds after which an input is said to hang; the slowest honest one takes ten on a machine that is free
_BATCH = 1000  # inputs that hypothesis keeps in mind at a time

BENCH = Path(__file__).parents[2] / "bench"

# --- what is drawn -------------------------------------------------------------------------------------------------------------------

TEXTS = (
    "", " ", "_", "0", "nan", "NULL", "__proto__", "con", "NUL.txt", "../../x", "..\\x", "a/b", "C:\\x", "~", "-", "--", "m" * 1000,
    "=1+1", "+1", "-1", "@SUM(A1)", "'=1", "''@", "'", "=HYPERLINK(\"http://x\")", "</script><img src=x onerror=alert(1)>", "<!--", "&lt;",
    "a|b", "`c`", "*d*", "[e](f)", "[red]x[/]", "[/]", "$x$", "$\\frac$", "\\", "{7*7}", "%s", ":boom:", "#1", "datum.x", '"', "a,b;c",
    "\u05e9\u05dc\u05d5\u05dd", "e" + "\u0301" * 40, "\U0001d54f\U0001f600", "h30-b10", "h0-b1", "h007-b07", "h" + "9" * 30 + "-b1",
    "h\u0663-b1", "784-30-10", "0-0", "9" * 400 + "-10", "loop", "matrix", "timing", "training", "float32", "float64",
)  # fmt: skip
UNREADABLE = ("\x00", "a\nb", "\r", "\t=1", "\x1b[2J", "\x9b", "\u2028", "a\u202eb", "\ufffe", "m" * 1001, "x" * 200_000)
NUMBERS = (
    "0", "-0", "1", "+1", "-1", "0.5", "1.5", "1e3", "1e-9", "1e30", "1e-30", "1e31", "1e-31", "1e308", "1e-308", "5e-324", "1e400", "1e",
    "inf", "nan", "", " 1", "1_0", "0x10", "\u0661\u0662", "9007199254740993", "9223372036854775807", "9223372036854775808", "9" * 30,
    "9" * 5000, "1,5", "True",
)  # fmt: skip
_text = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co", "Zl", "Zp")), max_size=12)


@st.composite
def changed(draw: st.DrawFn, content: bytes, tokens: Sequence[bytes] = (b"\x00", b"\xff")) -> bytes:
    """Bytes in which up to three short stretches are others."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(content)))
        end = start + draw(st.integers(0, 4))
        content = content[:start] + draw(st.sampled_from(tokens) | st.binary(max_size=6)) + content[end:]
    return content


# --- IDX -----------------------------------------------------------------------------------------------------------------------------


_HONEST = ("",) * 6
_LIES = ("shape", "type", "depth", "length", "bytes", "goes on", "bomb", "trailer", "damage")


@st.composite
def idx_files(draw: st.DrawFn, shape: Sequence[int] | None = None) -> bytes:
    """A file of an array of this shape (None: any), packed or not; every other one lies in some way or is damaged."""
    lie = draw(st.sampled_from(_HONEST + _LIES))
    size = st.integers(0, 5) | st.sampled_from((0, 255, 2**16, 2**31, 2**32 - 1))
    told = list(shape or draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))) if lie != "shape" else draw(st.lists(size, max_size=5))
    held = min(math.prod(told), 5000) if lie != "length" else draw(st.integers(0, 200))
    pixels = (draw(st.sampled_from((b"\x00", b"\x01\x02", bytes(range(256))))) * (held + 1))[:held]
    kind = draw(st.sampled_from((0, 9, 11, 13, 14, 255))) if lie == "type" else 8
    depth = draw(st.sampled_from((0, 1, 4, 5, 255))) if lie == "depth" else len(told)
    content = bytes([0, 0, kind, depth]) + np.array(told, ">u4").tobytes() + pixels
    content += {"goes on": b"!", "bomb": bytes(10**6)}.get(lie, b"")
    content = draw(changed(content)) if lie == "bytes" else content
    cuts = sorted(draw(st.lists(st.integers(0, len(content)), max_size=2)))
    packed = b"".join(_packed(content[start:end]) for start, end in pairwise((0, *cuts, len(content))))  # members are one file
    if lie == "trailer":
        packed += draw(st.sampled_from((b"\x00" * 9, b"more", _packed(b""), _packed(b"!"))))
    return draw(changed(packed)) if lie == "damage" else packed if lie in ("bomb", "trailer") or draw(st.booleans()) else content


def _packed(content: bytes) -> bytes:
    return gzip.compress(content, 1, mtime=0)


def idx(content: bytes, room: Path) -> bool:
    """One file, with the memory that reading it takes."""
    path = room / "file"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        array = read_idx(path)
    except InputError as error:
        _one_line(error)
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Deflate shrinks at most 1032 times; what is read is held once, and while it grows twice. A megabyte is for the rest.
        assert peak < 2 * 1032 * len(content) + 1_000_000, f"{peak:,} bytes of memory for a file of {len(content):,}"
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes() == plain
    return True


_PARTS = {
    "train-images-idx3-ubyte": (6, 2, 3),
    "train-labels-idx1-ubyte": (6,),
    "t10k-images-idx3-ubyte": (2, 2, 3),
    "t10k-labels-idx1-ubyte": (2,),
}
_directories = st.fixed_dictionaries({name: idx_files(shape) for name, shape in _PARTS.items()})


def dataset(files: dict[str, bytes], room: Path) -> bool:
    """The four files of a dataset."""
    for name, content in files.items():
        (room / name).write_bytes(content)
    try:
        splits = read_directory(room)
    except InputError as error:
        _one_line(error)
        return False
    for data in splits:
        assert data.images.shape == (len(data), splits.training.images.shape[1])
        assert 0 <= data.images.min() <= data.images.max() < 1
        assert 0 <= data.labels.min() <= data.labels.max() < data.classes
    return True


# --- CSV -----------------------------------------------------------------------------------------------------------------------------

_CELLS = [str(cell(value)) for value in astuple(ROW)]


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """Parts of one schema or the other, put together, with cells, rows, headers and bytes that may be wrong."""
    lines: list[list[str]] = []
    for _ in range(draw(st.integers(1, 3))):
        schema, header = draw(st.sampled_from(sorted(HEADERS.items())))
        lines.append(list(header))
        for _ in range(draw(st.integers(0, 3))):
            cells = [str(schema), *_CELLS[1 : len(header)]]
            for _ in range(draw(st.integers(0, 2))):
                place = draw(st.integers(0, len(cells) - 1))
                cells[place] = draw(st.sampled_from(NUMBERS) | st.sampled_from(UNREADABLE) | _text | st.just(cells[place]))
            lines.append(cells)
    if draw(st.integers(0, 5)) == 0:  # a header or row that is too short, too long or doubled
        line = draw(st.sampled_from(lines))
        place = draw(st.integers(0, len(line) - 1))
        line[place : place + draw(st.integers(0, 2))] = draw(st.lists(st.sampled_from(COLUMNS), max_size=2))
    file = io.StringIO()
    csv.writer(
        file, lineterminator=draw(st.sampled_from(("\n", "\n", "\r\n", "\n\n"))), quoting=draw(st.sampled_from((0, 0, 1)))
    ).writerows(lines)
    content = draw(st.sampled_from((b"",) * 9 + (b"\xef\xbb\xbf", b"\n"))) + file.getvalue().encode()
    return (
        draw(changed(content, (b'"', b",", b"\n", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf"))) if draw(st.integers(0, 3)) == 0 else content
    )


def csv_reader(content: bytes, room: Path) -> bool:
    """The reader; and what it accepts is the same when it is written and read again."""
    path = room / "run.csv"
    path.write_bytes(content)
    try:
        table = records.read([path])
    except InputError as error:
        _one_line(error)
        return False
    writer = Writer(room / "again.csv")
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


# --- options -------------------------------------------------------------------------------------------------------------------------

_NAMES = re.compile(r'"(--[a-z-]+|-o)"')
_DECLARING = (BENCH / "options.py", *sorted((BENCH / "commands").glob("*.py")))
_OPTIONS = [name for file in _DECLARING for name in _NAMES.findall(file.read_text(encoding="utf-8"))]
_COMMANDS = ("plot", "compare", "check", "report", "train", "versus", "gate", "machine", "")
_value = st.sampled_from((*NUMBERS, "1,10", "1,,2", "nielsen,wide", "loop,matrix", "K=V", "=", "95%", "1e-400%", "\ud800")) | _text
_option = st.sampled_from(_OPTIONS)
_commands = st.tuples(
    st.sampled_from(_COMMANDS), st.lists(_value | _option | st.tuples(_option, _value).map("=".join), max_size=6)
)  # fmt: skip


def options(command: tuple[str, list[str]], room: Path) -> bool:
    """Both doors' parsers: a usage error, a refusal, or options that mean what was written."""
    name, arguments = command
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            if name:
                given = _parser().parse_args([name, *arguments])
            else:
                shared = argparse.ArgumentParser()
                declare(shared.add_argument)
                given = shared.parse_args(arguments)
        parsed = parse(given, results=room)
    except InputError:  # the command line shows whatever was typed by its codes
        return False
    except SystemExit as usage:
        if usage.code not in (0, 2):
            raise
        return usage.code == 0
    for workload in parsed.workloads:
        for number in (
            workload.batch_size,
            *workload.hidden,
            workload.seed + 1,
            workload.examples or 1,
            parsed.rounds or 1,
            parsed.threads or 1,
        ):
            assert 1 <= number <= 2**63, "a CSV could not hold it"
    return True


# --- what is told of readable rows -----------------------------------------------------------------------------------------------------

_READABLE = [text for text in NUMBERS if text in ("0", "1", "0.5", "1e30", "1e-30", "9223372036854775807")]
_WORKLOADS = ("nielsen", "wide", "h30-b1", "h30-b10", "h100-b1", "h100-b10")
_JOBS = [(workload, trainer) for workload in _WORKLOADS for trainer in ("loop", "matrix", "gpu")]


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows that can be read and yet are hostile: extreme numbers, odd names, jobs and machines that differ in anything."""
    found: list[Row] = []
    for number in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from(_JOBS), min_size=1, max_size=6, unique=True))
        common = {"run_id": f"r{number}"} | draw(_columns)
        made = [replace(row, **common) for row in rows({name: [0.1 + place, 0.2] for place, name in enumerate(names)})]
        for _ in range(draw(st.integers(0, 3))):
            place = draw(st.integers(0, len(made) - 1))
            made[place] = replace(made[place], **draw(_columns))
        found += made
    return found


def _typed(field: Field) -> st.SearchStrategy[Any]:
    if field.type is str:
        return st.sampled_from(("timing", "training")) if field.name == "kind" else _text
    if field.type is bool:
        return st.booleans()
    numbers = [float(text) for text in _READABLE] if field.type is float else [0, 1, 2**53 + 1, 2**63 - 1]
    return st.sampled_from([n for n in numbers if n or not field.column.positive])


_columns = st.fixed_dictionaries({}, optional={f.name: _typed(f) for f in FIELDS if f.name != "schema"}).map(
    lambda drawn: dict(list(drawn.items())[:4])
)
_TELLING = (
    ("compare",),
    ("compare", "--json"),
    ("compare", "--markdown"),
    ("compare", "--over-time"),
    ("compare", "--over-time", "--json"),
    ("check",),
)


def tell(found: list[Row], room: Path) -> bool:
    """Every command that tells what rows say."""
    path = _file(found, room)
    for command in _TELLING:
        code, told = _run([*command, str(path)])
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", told)
        if "--json" in command and code == 0:
            json.loads(told, parse_constant=_no_number)
        for line in told.splitlines() if "--markdown" in command else ():
            assert not re.search(r"(?<!\\)[<>]", line.replace("<br>", "")), line
    return True


def report(found: list[Row], room: Path) -> bool:
    """The page."""
    code, _ = _run(["report", str(_file(found, room)), "-o", str(room / "out" / "report.html")])
    page = (room / "out" / "report.html").read_text(encoding="utf-8")
    assert code == 0
    assert page.count("</script>") == page.count("<script") == 4
    assert "<img src=x" not in page
    json.loads(re.search(r'<script id="figures"[^>]*>(.*?)</script>', page, re.DOTALL)[1], parse_constant=_no_number)
    return _inside(room)


def charts(found: list[Row], room: Path) -> bool:
    """Every chart."""
    path = _file(found, room)
    for command in (["plot", str(path)], ["compare", str(path)], ["compare", "--over-time", str(path)]):
        code, _ = _run([*command, "-o", str(room / "out")])
        assert code in (0, 2, 3)
    for drawing in (room / "out").glob("*.svg"):
        ElementTree.parse(drawing)
    return _inside(room)


def _file(found: list[Row], room: Path) -> Path:
    writer = Writer(room / "run.csv")
    writer.add(found)
    return writer.close()


def _run(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process and return its exit code and output; its errors are one line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    told = err.getvalue()
    assert code in (0, 1, 2, 3)
    assert code < 2 or (told.startswith("epochbench: ") and told.count("\n") == 1), told
    return code, out.getvalue()


def _one_line(error: InputError) -> None:
    assert str(error).isprintable(), ascii(str(error))
    assert len(str(error)) < 3000, f"{len(str(error)):,} characters of message"


def _no_number(name: str) -> None:
    raise AssertionError(f"{name} in the JSON")


def _inside(room: Path) -> bool:
    assert {path.name for path in room.iterdir()} <= {"run.csv", "out"}
    return True


# --- running -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """Something to feed, with what. `share` of all inputs is its part: what draws charts is slow."""

    inputs: st.SearchStrategy[Any]
    feed: Callable[[Any, Path], bool]
    share: float


TARGETS = {
    "idx": Target(idx_files(), idx, 0.3),
    "dataset": Target(_directories, dataset, 0.1),
    "csv": Target(csv_files(), csv_reader, 0.3),
    "options": Target(_commands, options, 0.2785),
    "tell": Target(tables(), tell, 0.02),
    "report": Target(tables(), report, 0.001),
    "charts": Target(tables(), charts, 0.0005),
}


@dataclass
class Tally:
    """What became of a target's inputs."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused


def run(target: Target, *, inputs: int, first_seed: int = 0) -> Tally:
    """Feed a target so many inputs; raises what one of them raises, with the smallest that does."""
    tally = Tally()

    def feed(drawn: Any) -> None:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as room, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a font that lacks a letter; numbers have their own checks
            if target.feed(drawn, Path(room)):
                tally.accepted += 1
            else:
                tally.refused += 1
        tally.slowest = max(tally.slowest, time.perf_counter() - begin)

    began = time.perf_counter()
    number = first_seed
    try:
        while tally.inputs < inputs:
            held = settings(
                max_examples=min(inputs - tally.inputs, _BATCH), deadline=None, database=None, suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
            )  # fmt: skip
            seed(number)(held(given(target.inputs)(feed)))()
            number += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    tally.seconds = time.perf_counter() - began
    return tally


def fuzz() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"{', '.join(TARGETS)} (all)")
    parser.add_argument("--inputs", type=int, default=100_000, metavar="N", help="of all targets together (100000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the same inputs for the same seed (0)")
    arguments = parser.parse_args()
    chosen = {name: TARGETS[name] for name in arguments.targets or TARGETS}
    whole = sum(target.share for target in chosen.values())
    print(f"{'target':<9} {'inputs':>7} {'accepted':>8} {'refused':>8} {'seconds':>8} {'slowest':>8}")
    for name, target in chosen.items():
        tally = run(target, inputs=round(arguments.inputs * target.share / whole), first_seed=arguments.seed)
        print(f"{name:<9} {tally.inputs:>7} {tally.accepted:>8} {tally.refused:>8} {tally.seconds:>8.1f} {tally.slowest:>8.3f}", flush=True)


if __name__ == "__main__":
    sys.exit(fuzz())
