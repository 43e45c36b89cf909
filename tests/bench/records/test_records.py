"""The CSV: round trip, errors for broken files, complete rows after a kill."""

import gzip
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import astuple, fields, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import records
from bench.records import COLUMNS, SCHEMA, Row, Writer
from bench.records.schema import HEADERS
from impls import InputError
from tests.support import rows
from tests.support.commands import ROOT
from tests.support.refusals import refused

# The row of the other tests, with values that a CSV may damage: a quote, a comma, a two-byte letter, digits, and empty fields.
ROW = replace(rows.ROW, cpu='A "quoted", CPU', blas_kernels="Größe", seconds=0.1234567, dirty=None, fraction_of_limit=None)


def written(path, *rows):
    writer = Writer(path)
    writer.add(rows)
    return writer.close()


@pytest.fixture
def csv(tmp_path):
    return written(tmp_path / "run.csv", ROW, replace(ROW, round=2, dirty=True, fraction_of_limit=0.5))


def test_reading_returns_the_written_rows(csv):
    table = records.read([csv])
    assert list(table.columns) == [field.name for field in fields(Row)]
    first, second = table.to_dict("records")
    for name, value in zip(COLUMNS, astuple(ROW), strict=True):
        if value is None:
            assert not first[name] or np.isnan(first[name])
        else:
            assert first[name] == value, name
    assert (second["round"], second["dirty"], second["fraction_of_limit"]) == (2, True, 0.5)


def test_concatenated_files_are_read_as_one(csv, tmp_path):
    both = tmp_path / "both.csv"
    both.write_bytes(csv.read_bytes() * 2)
    assert records.read([both])["round"].tolist() == [1, 2, 1, 2]
    assert len(records.read([csv, both])) == 6


@pytest.mark.parametrize("schema", range(1, SCHEMA))
def test_a_file_of_an_older_schema_is_read_also_concatenated_with_newer_ones(csv, tmp_path, schema):
    header, *lines = csv.read_text(encoding="utf-8").splitlines()
    width = len(HEADERS[schema])
    older = tmp_path / "older.csv"
    cut = [
        line.rsplit(",", len(COLUMNS) - width)[0] for line in (header, *(line.replace(f"{SCHEMA},r1", f"{schema},r1", 1) for line in lines))
    ]
    older.write_text("\n".join(cut) + "\n", encoding="utf-8")
    both = tmp_path / "both.csv"
    both.write_bytes(older.read_bytes() + csv.read_bytes() + older.read_bytes())
    table = records.read([both])
    assert table["schema"].tolist() == [schema, schema, SCHEMA, SCHEMA, schema, schema]
    assert table["seconds"].nunique() == 1
    for column in ("peak_flops", "flops_after"):
        known = COLUMNS.index(column) < width
        assert table[column].isna().tolist() == [not known, not known, False, False, not known, not known]


def test_old_names_of_trainers_are_renamed_with_a_warning(csv, tmp_path, caplog):
    older = tmp_path / "older.csv"
    lines = [line.rsplit(",", len(COLUMNS) - len(HEADERS[3]))[0] for line in csv.read_text(encoding="utf-8").splitlines()]
    older.write_text("".join(re.sub(f"^{SCHEMA},", "3,", line) + "\n" for line in lines), encoding="utf-8")
    both = tmp_path / "both.csv"
    both.write_bytes(older.read_bytes() + csv.read_bytes())
    assert records.read([both])["trainer"].tolist() == ["matrix_tuned", "matrix_tuned", "matrix", "matrix"]
    (message,) = caplog.messages
    assert re.match(rf"{re.escape(str(both))}: .*\bmatrix\b.* matrix_tuned\b.* schema 4\b", message)


def test_rows_are_in_the_partial_file_until_close(tmp_path):
    writer = Writer(tmp_path / "run.csv")
    assert not list(tmp_path.iterdir())
    for number in (1, 2):
        writer.add([replace(ROW, round=number)])
        assert [path.name for path in tmp_path.iterdir()] == ["run.partial.csv"]
        assert len(records.read([writer.partial])) == number
    assert writer.close() == tmp_path / "run.csv"
    assert [path.name for path in tmp_path.iterdir()] == ["run.csv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot kill a process between two instructions")
@pytest.mark.parametrize("delay", [0.0, 0.01, 0.03, 0.06, 0.1])
def test_a_kill_at_any_moment_leaves_a_readable_file(tmp_path, delay):
    program = (
        "from pathlib import Path; from tests.support.rows import ROW; from bench.records import Writer; import sys\n"
        "writer = Writer(Path(sys.argv[1]))\nwhile True: writer.add([ROW])"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path / "run.csv")], cwd=ROOT) as process:
        while not (tmp_path / "run.partial.csv").exists():
            time.sleep(0)
        time.sleep(delay)
        process.kill()
    assert len(records.read([tmp_path / "run.partial.csv"])) >= 1


def test_an_incomplete_last_row_of_a_partial_file_is_left_out(tmp_path):
    writer = Writer(tmp_path / "run.csv")
    writer.add([ROW])
    whole = writer.partial.stat().st_size
    writer.add([replace(ROW, round=2)])
    content = writer.partial.read_bytes()
    for size in range(whole, len(content)):  # also in the middle of a two-byte letter
        writer.partial.write_bytes(content[:size])
        assert records.read([writer.partial])["round"].tolist() == [1]
    writer.close().write_bytes(content[: content.rindex(b",")])
    with refused(f"{writer.path}, line 3"):
        records.read([writer.path])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this system has no /proc/self/io")
def test_the_cost_of_a_row_does_not_depend_on_the_rows_before(tmp_path):
    def written() -> int:
        return int(Path("/proc/self/io").read_text().split("wchar: ")[1].split()[0])

    writer, each = Writer(tmp_path / "run.csv"), []
    for _ in range(100):
        before = written()
        writer.add([ROW])
        each.append(written() - before)
    assert each[1] == each[-1] == writer.partial.stat().st_size - sum(each[:-1])


def test_a_row_that_cannot_be_written_leaves_the_file_unchanged(tmp_path):
    writer = Writer(tmp_path / "run.csv")
    writer.add([ROW])
    with pytest.raises(UnicodeEncodeError):
        writer.add([replace(ROW, cpu="\ud800")])
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial.csv"]
    assert len(records.read([writer.partial])) == 1


SAVED_AGAIN = {
    "with a byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "with CRLF": lambda raw: raw.replace(b"\n", b"\r\n"),
    "with empty rows": lambda raw: raw + b"," * (len(COLUMNS) - 1) + b"\n\n",
    "by pandas, with an index and in another order": lambda raw: (
        pd.read_csv(BytesIO(raw), dtype=str, keep_default_na=False)[sorted(COLUMNS)].to_csv().encode()
    ),
    "gzipped": gzip.compress,
}


@pytest.mark.parametrize("how", SAVED_AGAIN)
def test_a_file_that_was_saved_again_is_the_same_file(csv, tmp_path, how):
    again = tmp_path / "again" / f"a.csv{'.gz' * (how == 'gzipped')}"
    again.parent.mkdir()
    again.write_bytes(SAVED_AGAIN[how](csv.read_bytes()))
    pd.testing.assert_frame_equal(records.read(records.files([again.parent])), records.read([csv]))
    assert records.neutral(again) == records.neutral(csv)


def test_broken_and_very_large_compressed_files_are_rejected(csv, tmp_path, monkeypatch):
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(csv.read_bytes())[:-9])
    with refused(packed, "compressed data"):
        records.read([packed])
    monkeypatch.setattr("bench.records.layout._MOST_UNPACKED", 100)
    packed.write_bytes(gzip.compress(csv.read_bytes()))
    with refused(packed, "0 MiB"):
        records.read([packed])


@pytest.mark.parametrize(
    ("change", "place", "facts"),
    [
        (lambda text: text.replace("seconds,", "", 1), ", line 1", ["seconds"]),
        (lambda text: text.replace("schema,run_id", "schema,schema,run_id", 1), ", line 1", [f"schema 1 to {SCHEMA}"]),
        (lambda text: text.replace("schema,run_id", "run_id,schema", 1), ", line 2", ["schema 'r1'", f"schema {SCHEMA}"]),
        (lambda text: text.replace(",", ";"), "", ["semicolons", "commas"]),
        (
            lambda text: text.replace("2026-01-01T00:00:00+00:00", "01.01.26 00:00", 1),
            ", line 2, column started_at",
            ["'01.01.26 00:00'", "date"],
        ),
        (lambda text: text.replace(",abc,", ",1.23E+11,", 1), ", line 2, column commit", ["'1.23E+11'", "hexadecimal"]),
        (lambda text: text.replace(f"\n{SCHEMA},r1", "\n9,r1", 1), ", line 2", ["schema '9'", f"schema {SCHEMA}"]),
        (lambda text: text.replace("0.1234567", "fast", 1), ", line 2, column seconds", ["'fast'", "finite"]),
        (lambda text: text.replace("0.1234567", "-1", 1), ", line 2, column seconds", ["'-1'", "0 or more"]),
        (lambda text: text.replace("0.1234567", "0", 1), ", line 2, column seconds", ["'0'", "above 0"]),
        (lambda text: text.replace("0.1234567", "inf", 1), ", line 2, column seconds", ["'inf'", "finite"]),
        (lambda text: text.replace("0.1234567", "", 1), ", line 2, column seconds", ["''", "finite"]),
        (lambda text: text.replace("50000", "50000.5", 1), ", line 2, column examples", ["'50000.5'", "whole number"]),
        (lambda text: text.replace(",1,timing", ",yes,timing"), ", line 3, column dirty", ["'yes'", "0 or 1"]),
        (lambda text: text.replace("2.4.6,openblas", '"2.4\n6",openblas', 1), ", line 3, column numpy", ["'2.4\\n6'", "single line"]),
        (lambda text: text + f"{SCHEMA},r1,2026\n", ", line 4", ["3 cells", f"of {len(COLUMNS)};"]),
        (lambda text: text + text.splitlines()[1] + ",more\n", ", line 4", [f"{len(COLUMNS) + 1} cells", f"of {len(COLUMNS)};"]),
        (lambda text: text.splitlines()[0] + "\n", "", ["rows"]),
        (lambda text: "", ", line 1", ["schema, run_id"]),
    ],
)
def test_the_error_of_a_broken_file_names_line_and_column(csv, change, place, facts):
    csv.write_text(change(csv.read_text(encoding="utf-8")), encoding="utf-8")
    with refused(f"{csv}{place}", *facts):
        records.read([csv])


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None], ids=["no text", "no file"])
def test_the_error_of_a_file_that_is_not_text_contains_its_path(tmp_path, content):
    path = tmp_path / "odd.csv"
    if content:
        path.write_bytes(content)
    with refused(path):
        records.read([path])


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_rows_or_an_input_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    good = written(path, ROW).read_bytes()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 40)))
    path.write_bytes(good[:start] + data.draw(st.binary(max_size=20)) + good[end:])
    with suppress(InputError):
        assert len(records.read([path])) == 1


def test_a_directory_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with refused(f"--results {tmp_path / 'file'}"):
        records.check_writable(tmp_path / "file")
    records.check_writable(tmp_path / "new" / "deep")
    assert not list((tmp_path / "new" / "deep").iterdir())
