"""Whatever happens to a run: finished cases are in the CSV, the others are named with their reason, and the next run starts clean."""

import os
import re
import shutil
import signal
import subprocess
import sys
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
from tests.support.commands import BENCH, QUICK, ROOT, bench, command, processor_of_ones_own
from tests.support.rows import ROW, written

WRONG = "tests.support.wrong_trainers"

REASONS = {
    "Raises": "ZeroDivisionError: on purpose",
    "Exits": "exits the interpreter, with exit code 3",
    "Greedy": "MemoryError: Unable to allocate",
    "NotANumber": "does not compute what the float64 loop computes: .* off by nan",
    "NotANumberWhileTimed": "returns weights that are not finite numbers after an epoch",
    "HangsWhileTimed": r"hangs: warming up took more than 2 s, at last in processes.py, line \d+",
    "Early": "returns before its work is done: .* of it are left then",
    "Lazy": "returns before its work is done: .* of it are left then",
    "ChangesImages": "changes the images that it is given; it must copy them",
    "ChangesOrder": "changes the order that it is given; it must copy them",
    "ChangesItsAnswer": "changes its answer while it is timed: its first and its last epoch end .* apart",
    "ChangesEverybodysAnswer": "does not compute what the float64 loop computes: .* off by",
}

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no signals to interrupt with")


# Who runs the tests in the background ignores some signals, and what is started inherits that.
HEARD = """
import os, signal, sys
for name in "SIGINT", "SIGTERM":
    signal.signal(getattr(signal, name), signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@contextmanager
def started(*options, **others):
    """A run under way. At the end it is none any more."""
    command = [sys.executable, "-m", *BENCH, "--benchmark-only", *QUICK, "--threads", "1", "--no-charts", *map(str, options)]
    with processor_of_ones_own(command):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **others)
    with process:
        try:
            yield process
        finally:
            process.kill()


def trainers_in(directory):
    """The trainers in the one file that a run has left there, round by round."""
    (csv,) = directory.iterdir()
    return records.read([csv])["trainer"].tolist()


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """A run of all of them between two that are right: its output, and its results."""
    place = tmp_path_factory.mktemp("results")
    names = ",".join(f"{WRONG}:{name}" for name in [*REASONS, "Warns"] if name != "HangsWhileTimed" or sys.platform != "win32")
    return bench(
        *QUICK, "--threads", "1", "--no-charts", "--patience", "2", "--trainers", f"loop,{names},matrix", "--results", place
    ), place


@pytest.mark.parametrize("name", REASONS)
def test_a_faulty_trainer_is_named_with_its_reason(faults, name):
    if name == "HangsWhileTimed" and sys.platform == "win32":
        pytest.skip("Windows knows no signals to interrupt with")
    assert re.search(f"^FAILED {WRONG}:{name}: {REASONS[name]}", faults[0].stdout, re.MULTILINE), faults[0].stdout


def test_the_others_are_measured_all_the_same(faults):
    assert faults[0].returncode == 1
    assert trainers_in(faults[1]) == ["loop"] * 3 + [f"{WRONG}:Warns"] * 3 + ["matrix"] * 3
    assert "Error" not in faults[0].stderr


def test_what_a_library_warns_of_is_told_and_no_fault(faults):
    assert "the driver is old" in faults[0].stderr
    assert "and slow" in faults[0].stdout


# --- faults that end the process ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        pytest.param("Crashes", "killed, crashed, or made to exit"),
        pytest.param("ExitsAtOnceWhileTimed", "killed, crashed, or made to exit"),
        pytest.param("HangsInC", "it hung in code that is not Python's and could only be killed", marks=posix),
    ],
)
def test_what_ends_the_process_is_told_by_another(tmp_path, name, cause):
    with started("--patience", "2", "--trainers", f"matrix,{WRONG}:{name},loop", "--results", tmp_path) as process:
        _, told = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"epochbench: the run ended without a word at nielsen {WRONG}:{name}, warming up: {cause}\n" in told
    assert re.search(r"^epochbench: finished: 1 case, 3 rows, in .*\.partial\.csv$", told, re.MULTILINE)
    assert "\nepochbench: not reached: nielsen loop\n" in told
    assert trainers_in(tmp_path) == ["matrix"] * 3


def killed(directory, after, *options):
    """Kill a run so many seconds after its first case began, and return its CSV, if it left one, and the cases that it called finished."""
    before = set(directory.glob("*"))
    with started(*options, "--results", directory, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as process:
        said = iter(process.stdout.readline, "")
        while not next(said).startswith("collected"):
            pass
        threading.Timer(after, process.kill).start()
        finished = re.findall(r"^\[ *\d+/\d+\] (\S+) +(\S+) +.* an epoch, ", "".join(said), re.MULTILINE)
        process.stderr.read()  # until the watching process has gone too
    left = sorted(set(directory.glob("*")) - before) + sorted(directory.glob(".*"))
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
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_run_that_is_stopped_names_what_it_has_not_finished(tmp_path, name):
    results, hanging = tmp_path / "results", tmp_path / "hanging"
    options = ("--trainers", f"matrix,{WRONG}:HangsWhileTimed,loop", "--results", results)
    with started(*options, env=os.environ | {"HANGING": str(hanging)}) as process:
        wait_for(hanging.exists)
        process.send_signal(signal.Signals[name])
        said, told = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert f"unfinished {WRONG}:HangsWhileTimed: stopped (warming up)\nunfinished loop: not reached\n" in said
    assert ("KeyboardInterrupt" if name == "SIGINT" else f"KeyboardInterrupt: stopped by {name}") in said
    assert told == ""
    assert trainers_in(results) == ["matrix"] * 3


# --- disks --------------------------------------------------------------------------------------------------------------------------


@contextmanager
def mounted(directory, options):
    """A file system in memory, at the directory."""
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
    """Leave no room in it."""
    with (directory / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


def test_rows_that_a_full_disk_refuses_are_written_when_there_is_room(tmp_path):
    with mounted(tmp_path / "full", "size=64k") as disk:
        writer = Writer(disk / "run.csv")
        writer.add([ROW])
        fill(disk)
        with pytest.raises(WriteError, match=r"run\.partial\.csv cannot be written: No space left on device"):
            writer.add([replace(ROW, round=2)] * 20)
        assert len(records.read([writer.partial])) == writer.written == 1
        (disk / "ballast").unlink()
        writer.add([replace(ROW, round=3)])
        assert len(records.read([writer.close()])) == 22
        assert [path.name for path in disk.iterdir()] == ["run.csv"]


def test_a_disk_that_fills_up_during_a_run_costs_only_what_comes_after(tmp_path):
    # Twenty rows a case, because ten fit into what is left of the file's last page.
    full = tmp_path / "full.txt"
    options = ("--trainers", f"loop,{WRONG}:WaitsForAFile", "--rounds", "20", "--results", tmp_path / "full")
    with mounted(tmp_path / "full", "size=128k") as disk, started(*options, env=os.environ | {"WAITS_FOR": str(full)}) as process:
        wait_for(lambda: sum(file.read_bytes().count(b"\n") for file in disk.glob("*.partial.csv")) == 21)  # a header and loop's rows
        fill(disk)
        full.touch()
        said, told = process.communicate(timeout=60)
        assert process.returncode == 1
        refused = r"\S+\.partial\.csv cannot be written: No space left on device"
        assert re.search(rf"^FAILED {WRONG}:WaitsForAFile: {refused}$", said, re.MULTILINE)
        assert re.search(rf"^warning: {refused}: 20 rows lost; the others are in \S+\.partial\.csv$", said, re.MULTILINE)
        assert "Traceback" not in said + told
        (disk / "ballast").unlink()
        assert trainers_in(disk) == ["loop"] * 20


def test_a_page_that_a_full_disk_refuses_leaves_the_one_that_was_there(tmp_path, capsys):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): 0.1})
    with mounted(tmp_path / "full", "size=512k") as disk:  # the page has a megabyte
        page = disk / "report.html"
        page.write_text("the page before", encoding="utf-8")
        assert main(["report", str(csv), "-o", str(page)]) == 2
        assert "report.html: cannot write it (No space left on device)" in capsys.readouterr().err
        assert page.read_text(encoding="utf-8") == "the page before"
        assert [path.name for path in disk.iterdir()] == ["report.html"]


@pytest.mark.parametrize(("options", "reason"), [("size=16k", "No space left on device"), ("ro", "Read-only file system")])
def test_a_disk_that_takes_nothing_is_refused_at_the_start(tmp_path, options, reason):
    with mounted(tmp_path / "disk", options) as disk, pytest.raises(InputError) as refusal:
        records.check_writable(disk)
    assert str(refusal.value) == f"--results {disk}: cannot write there ({reason}); name another directory"


def test_results_that_are_removed_during_a_run_are_written_again(tmp_path):
    writer = Writer(tmp_path / "results" / "run.csv")
    writer.add([ROW])
    shutil.rmtree(tmp_path / "results")
    writer.add([replace(ROW, round=2)])
    assert records.read([writer.close()])["round"].tolist() == [1, 2]


# --- several runs -------------------------------------------------------------------------------------------------------------------


def test_runs_at_once_into_one_directory_keep_apart(tmp_path):
    names = ("loop", "matrix")
    one, other = (started("--trainers", name, "--results", tmp_path) for name in names)
    with one as one_process, other as other_process:
        one_process.communicate(timeout=60)
        other_process.communicate(timeout=60)
    tables = [records.read([csv]) for csv in tmp_path.iterdir()]
    assert sorted(table["trainer"].tolist() for table in tables) == [[name] * 3 for name in names]
    assert len({run for table in tables for run in table["run_id"]}) == 2


def test_runs_that_start_in_the_same_second_are_not_called_the_same():
    now = datetime.now(UTC)
    assert len({records.new_id(now) for _ in range(1000)}) == 1000  # of 2**32: once in 8,000 times two are the same


# --- training -----------------------------------------------------------------------------------------------------------------------


def test_train_goes_on_after_a_faulty_trainer_and_names_it(tmp_path):
    names = ["Raises", "Exits", "Greedy", "Early", "ChangesEverybodysAnswer", *(["HangsWhileTimed"] if sys.platform != "win32" else [])]
    trainers = ",".join(["matrix", *(f"{WRONG}:{name}" for name in names), "loop"])
    output = command(
        *(
            "train",
            "--examples",
            "400",
            "--threads",
            "1",
            "--epochs",
            "1",
            "--patience",
            "2",
            "--no-charts",
            "--results",
            tmp_path,
            "--trainers",
            trainers,
        ),
    )
    assert output.returncode == 1
    for name in names:
        reason = REASONS[name].replace("warming up", "epoch 1 of 1")
        assert re.search(f"^{WRONG}:{name}: FAILED: {reason}", output.stdout, re.MULTILINE), output.stdout
    assert trainers_in(tmp_path) == ["matrix", "loop"]
