"""Killed and stopped runs, and full disks: finished cases are in the CSV, and the run names the others."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bench import records
from bench.__main__ import main
from bench.records import WriteError, Writer
from impls import InputError
from tests.support.rows import ROW, written
from tests.support.runs import WRONG, posix, started, trainers_in


def killed(directory, after, *options):
    """Kill a run `after` seconds after its first case began. Returns its CSV, or None, and the cases that it reported as finished."""
    before = set(directory.glob("*"))
    with started(*options, "--results", directory, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        output = iter(process.stdout.readline, "")
        while not next(output).startswith("collected"):
            pass
        threading.Timer(after, process.kill).start()
        finished = re.findall(r"^\[ *\d+/\d+\] (\S+) +(\S+) +.* per epoch, ", "".join(output), re.MULTILINE)
        process.stderr.read()  # until the watchdog's process has ended too
    left = sorted(set(directory.glob("*")) - before)  # the CSV, or a hidden file if the kill interrupted the first write
    assert len(left) <= 1
    return left[0] if left else None, finished


def assert_nothing_is_lost(csv, finished):
    rows = {} if csv is None else records.read([csv]).groupby(["workload", "trainer"])["round"].apply(list).to_dict()
    assert set(finished) <= set(rows)
    assert all(rounds == list(range(1, len(rounds) + 1)) for rounds in rows.values())


@posix
@pytest.mark.parametrize("after", [0.3, 1.5])
def test_a_kill_at_any_moment_loses_no_finished_row(tmp_path, after):
    assert_nothing_is_lost(*killed(tmp_path, after, "--workload", "wide", "--trainers", "matrix,loop"))


def wait_for(what, seconds=60):
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)


@posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGINT in the background", "SIGTERM"])
def test_a_stopped_run_names_its_unfinished_cases(tmp_path, name):
    name, _, in_background = name.partition(" ")
    # A shell starts its background jobs with SIGINT ignored. The process inherits this; the fixture process_state restores the handler.
    signal.signal(signal.SIGINT, signal.SIG_IGN if in_background else signal.default_int_handler)
    results, hanging = tmp_path / "results", tmp_path / "hanging"
    options = ("--trainers", f"matrix,{WRONG}:HangsWhileTimed,loop", "--results", results)
    with started(*options, env=os.environ | {"HANGING": str(hanging)}) as process:
        wait_for(hanging.exists)
        process.send_signal(signal.Signals[name])
        output, errors = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert f"unfinished {WRONG}:HangsWhileTimed: stopped (warming up)\nunfinished loop: not reached\n" in output
    assert "warnings summary" not in output
    assert ("KeyboardInterrupt" if name == "SIGINT" else f"KeyboardInterrupt: stopped by {name}") in output
    assert errors == ""
    assert trainers_in(results) == ["matrix"] * 3


# --- disks --------------------------------------------------------------------------------------------------------------------------


@contextmanager
def mounted(directory, options):
    """Mount a file system in memory at the directory."""
    directory.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", directory], check=True, capture_output=True, timeout=10)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"mounting is not allowed here: {error}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", directory], check=True, timeout=10)


def fill(directory):
    """Fill the file system of the directory."""
    with (directory / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_rows_that_do_not_fit_on_a_full_disk_are_written_later(tmp_path):
    with mounted(tmp_path / "full", "size=64k") as disk:
        writer = Writer(disk / "run.csv")
        writer.add([ROW])
        fill(disk)
        with pytest.raises(WriteError, match=r"run\.partial\.csv: .*No space left on device"):
            writer.add([replace(ROW, round=2)] * 20)
        assert len(records.read([writer.partial])) == writer.written == 1
        (disk / "ballast").unlink()
        writer.add([replace(ROW, round=3)])
        assert len(records.read([writer.close()])) == 22
        assert [path.name for path in disk.iterdir()] == ["run.csv"]


def test_a_disk_that_fills_up_during_a_run_loses_only_later_rows(tmp_path):
    # Twenty rows per case, because ten would fit into the rest of the file's last page.
    full = tmp_path / "full.txt"
    options = ("--trainers", f"loop,{WRONG}:WaitsForAFile", "--rounds", "20", "--results", tmp_path / "full")
    with mounted(tmp_path / "full", "size=128k") as disk, started(*options, env=os.environ | {"WAITS_FOR": str(full)}) as process:
        wait_for(lambda: sum(file.read_bytes().count(b"\n") for file in disk.glob("*.partial.csv")) == 21)  # a header and loop's rows
        fill(disk)
        full.touch()
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 1
        refused = r"\S+\.partial\.csv: .*No space left on device.*"
        assert re.search(rf"^FAILED {WRONG}:WaitsForAFile: {refused}$", output, re.MULTILINE)
        assert re.search(rf"^warning: {refused}\b20 rows lost\b.* \S+\.partial\.csv$", output, re.MULTILINE)
        assert "Traceback" not in output + errors
        (disk / "ballast").unlink()
        assert trainers_in(disk) == ["loop"] * 20


def test_a_report_that_does_not_fit_on_a_full_disk_leaves_the_old_one(tmp_path, capsys):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): 0.1})
    with mounted(tmp_path / "full", "size=256k") as disk:  # the report has half a megabyte
        page = disk / "report.html"
        page.write_text("old report", encoding="utf-8")
        assert main(["report", str(csv), "-o", str(page)]) == 2
        assert re.search(r"report\.html: .*No space left on device", capsys.readouterr().err)
        assert page.read_text(encoding="utf-8") == "old report"
        assert [path.name for path in disk.iterdir()] == ["report.html"]


@pytest.mark.parametrize(("options", "reason"), [("size=16k", "No space left on device"), ("ro", "Read-only file system")])
def test_a_full_or_read_only_disk_is_an_input_error(tmp_path, options, reason):
    with mounted(tmp_path / "disk", options) as disk, pytest.raises(InputError) as refusal:
        records.check_writable(disk)
    assert str(refusal.value).startswith(f"--results {disk}: ")
    assert reason in str(refusal.value)


def test_rows_that_are_deleted_during_a_run_are_written_again(tmp_path):
    writer = Writer(tmp_path / "results" / "run.csv")
    writer.add([ROW])
    shutil.rmtree(tmp_path / "results")
    writer.add([replace(ROW, round=2)])
    assert records.read([writer.close()])["round"].tolist() == [1, 2]


# --- several runs -------------------------------------------------------------------------------------------------------------------


def test_concurrent_runs_in_one_directory_write_separate_files(tmp_path):
    names = ("loop", "matrix")
    one, other = (started("--trainers", name, "--results", tmp_path) for name in names)
    with one as one_process, other as other_process:
        one_process.communicate(timeout=60)
        other_process.communicate(timeout=60)
    tables = [records.read([csv]) for csv in tmp_path.iterdir()]
    assert sorted(table["trainer"].tolist() for table in tables) == [[name] * 3 for name in names]
    assert len({run for table in tables for run in table["run_id"]}) == 2


def test_runs_that_start_in_the_same_second_get_different_ids():
    now = datetime.now(UTC)
    assert len({records.new_id(now) for _ in range(1000)}) == 1000  # 32 random bits: two ids are equal once in 8,000 tests
