"""The command line, run as a user does: commands, exit codes and error messages."""

import json
import logging
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import records
from bench.__main__ import main
from bench.machine.affinity import default_threads
from bench.machine.roofline import Peaks
from bench.measure.train import train
from bench.options import parse
from impls import TRAINERS, Unsupported
from impls.matrix import Matrix
from tests.support.commands import ROOT, command, installed
from tests.support.few_digits import FEW_DIGITS
from tests.support.refusals import refused
from tests.support.rows import written

TRAIN = ("train", "--epochs", "2", "--examples", "2000", "--data", str(FEW_DIGITS))


def test_help_names_every_command():
    output = command("--help")
    assert output.returncode == 0
    assert all(f"\n    {name} " in output.stdout for name in ("run", "plot", "compare", "report", "check", "train", "machine"))


def test_machine_prints_the_same_facts_as_text_and_as_json():
    columns = json.loads(command("machine", "--json", "--machine", "My Box").stdout)
    text = command("machine").stdout
    assert columns["machine"] == "my-box"
    for column in ("cpu", "numpy", "python", "blas", "os"):
        assert columns[column]
        assert columns[column] in text


def test_machine_measures_the_rates_with_one_thread_and_with_all_and_by_size_if_asked():
    answer = json.loads(command("machine", "--json", "--curve").stdout)
    rates = {one["threads"]: one for one in answer["rates"]}
    assert sorted(rates) == sorted({1, default_threads()})
    for one in rates.values():
        assert min(one["flops"]["float32"], one["flops"]["float64"]) > 0
        assert one["bytes"] > 0
    assert {dtype: len(curve) for dtype, curve in answer["curve"].items()} == {"float32": 8, "float64": 8}
    assert answer["energy"]["counters"] or answer["energy"]["reason"]
    text = command("machine").stdout
    assert re.search(r"^threads +float32 GFLOP/s +float64 GFLOP/s +copy GB/s\n1 +[\d.]+ ", text, re.MULTILINE)
    assert re.search(r"^energy +\S", text, re.MULTILINE)


def test_trainers_lists_every_trainer_with_the_reason_if_unavailable(capsys, monkeypatch):
    monkeypatch.setattr("impls.mpi.Mpi.unavailable", lambda: "gone fishing")
    assert main(["trainers"]) == 0
    printed = capsys.readouterr().out.splitlines()
    lines = dict(line.split(maxsplit=1) for line in printed[: len(TRAINERS)])
    assert list(lines) == list(TRAINERS)
    assert all(line.startswith("WebGPU adapter: ") for line in printed[len(TRAINERS) :])
    assert (lines["loop"], lines["mpi"]) == ("available", "gone fishing")
    assert main(["trainers", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["loop"] is None


def test_a_library_that_fails_when_it_looks_for_a_device_costs_its_trainer_only(capsys, monkeypatch):
    def no_answer():
        raise AssertionError("an environment variable names a device that is not there")

    monkeypatch.setattr("impls.mpi.Mpi.unavailable", no_answer)
    assert main(["trainers"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["loop"] == "available"
    assert lines["mpi"].endswith("AssertionError: an environment variable names a device that is not there")


def test_an_interpreter_without_the_libraries_is_refused_in_one_line():
    program = "import runpy, sys; sys.modules['psutil'] = None; runpy.run_module('bench', run_name='__main__')"
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert output.returncode == 2
    assert re.fullmatch(r"epochbench: \S+ has no module psutil; .* install -e \.\n", output.stderr)


def test_the_installed_command_imports_trainers_from_the_current_directory(tmp_path):
    (tmp_path / "mine.py").write_text("from impls.matrix import Matrix\n\nclass Mine(Matrix):\n    pass\n")
    output = installed(*TRAIN, "--trainer", "mine:Mine", "--no-charts", "--results", "results", cwd=tmp_path)
    assert output.returncode == 0, output.stderr


@pytest.mark.parametrize(
    ("installed", "version"), [({"epochbench": "1.2"}, "1.2"), ({}, "unknown (not installed)")], ids=["installed", "a clone"]
)
def test_version_prints_the_installed_version(installed, version, capsys, monkeypatch):
    def find(name):
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", find)
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"epochbench {version}\n"


def test_train_writes_a_row_per_epoch_and_one_chart_of_all_trainers(tmp_path):
    output = command(*TRAIN, "--trainer", "loop,matrix", "--results", tmp_path)
    assert output.returncode == 0, output.stderr
    (csv,) = tmp_path.glob("*.csv")
    rows = records.read([csv])
    assert rows["trainer"].tolist() == ["loop", "loop", "matrix", "matrix"]
    assert rows["round"].tolist() == [1, 2, 1, 2]
    assert set(rows["kind"]) == {"training"}
    assert rows["flops_after"].isna().all(), "an epoch's row is written before the case is over"
    (drawing,) = tmp_path.glob("*.svg")
    drawn = drawing.read_text(encoding="utf-8")  # on a busy machine, a run is disturbed
    assert all(re.search(rf"{name}( \(disturbed\))?: best", drawn) for name in ("loop", "matrix"))
    assert list(tmp_path.glob("*learning-nielsen.png"))
    assert "best test accuracy" in output.stdout


def test_train_stops_at_the_accuracy_of_until(tmp_path):
    reached = command(*TRAIN, "--until", "30%", "--epochs", "50", "--no-charts", "--results", tmp_path / "a")
    assert reached.returncode == 0
    assert "epoch   9" not in reached.stdout
    missed = command(*TRAIN, "--until", "0.99", "--no-charts", "--results", tmp_path / "b")
    assert missed.returncode == 1
    assert re.search(r"99\.00% .*2 epochs", missed.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not have this signal")
def test_interrupted_train_keeps_finished_epochs(tmp_path):
    arguments = [sys.executable, "-m", "bench", *TRAIN, "--epochs", "100000", "--results", str(tmp_path)]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not list(tmp_path.glob("*.partial.csv")):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130
    assert errors.count("\n") == 1
    assert "partial.csv" in errors
    (left,) = tmp_path.iterdir()
    assert len(records.read([left])) >= 1


@pytest.mark.skipif(sys.platform == "win32", reason="a closed pipe raises a different error on Windows")
@pytest.mark.parametrize("widths", [99, 1], ids=["more than a pipe buffer", "less"])
def test_a_closed_stdout_does_not_change_the_exit_code(tmp_path, widths):
    csv = written(tmp_path / "a.csv", {(f"h{width}-b1", "matrix"): 1.0 for width in range(1, widths + 1)}, accuracy=1.5)
    with subprocess.Popen(
        [sys.executable, "-m", "bench", "check", str(csv)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows shells cannot close a stream")
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_do_not_change_the_exit_code(tmp_path, closed):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1] * 5})
    shell = f'"{sys.executable}" -m bench compare "{csv}" {closed}'
    assert subprocess.run(["sh", "-c", shell], cwd=ROOT, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system does not have /dev/full")
def test_a_full_disk_is_exit_code_2_and_a_one_line_error(tmp_path):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): 1.0})
    with Path("/dev/full").open("w") as full:
        output = subprocess.run(
            [sys.executable, "-m", "bench", "check", str(csv)], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (output.returncode, output.stderr) == (2, "epochbench: [Errno 28] No space left on device\n")


@pytest.fixture
def known_peaks(monkeypatch):
    """Fixed peaks, so that the test does not measure them."""
    monkeypatch.setattr("bench.machine.peaks.measure", lambda device, dtype: Peaks(flops=1e12, bytes=1e11))


def test_train_skips_a_trainer_that_does_not_support_the_workload(tmp_path, monkeypatch, known_peaks, caplog):
    class Picky(Matrix):
        def __init__(self, *arguments, **options):
            raise Unsupported("takes one hidden layer")

    monkeypatch.setitem(sys.modules, "picky", SimpleNamespace(Picky=Picky))
    caplog.set_level(logging.INFO, logger="bench")
    asked = {"bench_trainers": "picky:Picky,matrix", "bench_examples": "400", "bench_no_charts": True}
    assert train(parse(asked, results=tmp_path, workloads=["nielsen"]), epochs=1, until=None)
    assert "picky:Picky: skipped: takes one hidden layer" in caplog.messages
    (csv,) = tmp_path.glob("*.csv")
    assert records.read([csv])["trainer"].tolist() == ["matrix"]
    alone = parse(asked | {"bench_trainers": "picky:Picky"}, results=tmp_path, workloads=["nielsen"])
    with refused("--trainer", "picky:Picky", "nielsen", "takes one hidden layer"):
        train(alone, epochs=1, until=None)


def test_a_broken_pipe_is_not_a_failure_of_the_trainer(tmp_path, known_peaks, monkeypatch):
    class Closed(logging.Handler):
        def emit(self, record):
            raise BrokenPipeError("the reader is gone")

    monkeypatch.setattr(logging.getLogger("bench"), "handlers", [Closed()])
    monkeypatch.setattr(logging.getLogger("bench"), "level", logging.INFO)

    asked = {"bench_trainers": "matrix", "bench_examples": "400", "bench_no_charts": True}
    with pytest.raises(BrokenPipeError):
        train(parse(asked, results=tmp_path, workloads=["nielsen"]), epochs=2, until=None)
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(".partial.csv")
    assert records.read([left])["round"].tolist() == [1]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("trained")
    assert main([*TRAIN, "--no-charts", "--results", str(directory)]) == 0
    (csv,) = directory.glob("*.csv")
    return csv


def test_plot_writes_beside_the_csv_or_to_the_directory_of_o(trained, tmp_path, capsys):
    copy = shutil.copy(trained, tmp_path / "mine.csv")
    assert main(["plot", str(copy)]) == 0
    assert (tmp_path / "mine-learning-nielsen.png").is_file()
    assert main(["plot", str(copy), "-o", str(tmp_path / "pictures")]) == 0
    assert (tmp_path / "pictures" / "mine-learning-nielsen.svg").is_file()
    assert capsys.readouterr().out.count("learning-nielsen.png") == 2


def test_plot_is_deterministic(trained, tmp_path):
    for name in "ab":
        assert main(["plot", str(trained), "-o", str(tmp_path / name)]) == 0
    first, second = (next((tmp_path / name).glob("*.svg")).read_bytes() for name in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plot", "nowhere.csv"], r"^epochbench: nowhere\.csv: .*No such file"),
        (["plot", "pyproject.toml"], r"^epochbench: pyproject\.toml, line 1: .* schema, run_id, "),
        (["train", "--trainer", "lop"], "^epochbench: unknown trainer 'lop': .* loop"),
        (["train", "--workload", "nielsen,wide"], "^epochbench: --workload nielsen,wide: train "),
        (["train", "--epochs", "0"], "^epochbench: --epochs 0: "),
        (["train", "--until", "soon"], "--until: soon: .* 10%"),
        (["train", "--results", "LICENSE"], "^epochbench: --results LICENSE: "),
        (["train", "--examples", "5"], "^epochbench: workload nielsen: .* 1 to 5"),
        (["tarin"], "'tarin'"),
        ([], "COMMAND"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)
    try:
        code = main(arguments)
    except SystemExit as stopped:  # from argparse
        code = stopped.code
    output = capsys.readouterr()
    assert code == 2
    assert re.search(message, output.err.splitlines()[-1])
    assert not output.out
