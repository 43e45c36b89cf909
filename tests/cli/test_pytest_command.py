"""`pytest bench --benchmark-only`, run as a user does: output, files, errors and exit codes."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from bench import records
from bench.machine.affinity import THREAD_VARIABLES
from bench.system.own_command import own_command
from tests.support.commands import BENCH, JOB, QUICK, ROOT, bench, run
from tests.support.few_digits import FEW_DIGITS

WRONG = "tests.support.wrong_trainers"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Run good, wrong and absent trainers. Return the output and the results directory."""
    directory = tmp_path_factory.mktemp("run")
    (directory / "sitecustomize.py").write_text("import sys; sys.modules['cupy'] = None  # hides an installed CuPy\n")
    output = bench(
        *QUICK,
        *("--trainers", f"loop,matrix,gpu,tests.support.book:Book,{WRONG}:SkipsHalf,{WRONG}:Raises"),
        *("--results", directory / "results", "--machine", "Test Box"),
        env={**os.environ, "PYTHONPATH": str(directory)},
    )
    return output, directory / "results"


def rows_of(directory: Path):
    (csv,) = directory.glob("*.csv")
    return records.read([csv])


def test_every_round_is_a_row(finished):
    rows = rows_of(finished[1])
    assert rows.groupby("trainer")["round"].apply(list).to_dict() == {
        name: [1, 2, 3] for name in ("loop", "matrix", "tests.support.book:Book")
    }
    assert (rows["seconds"] > 0).all()
    assert (rows["max_error"] < 1e-4).all()
    assert set(rows["machine"]) == {"test-box"}
    assert set(rows["layers"]) == {"784-30-10"}
    assert set(rows["examples"]) == {400}
    assert rows["accuracy"].between(0.1, 1).all()


def test_a_trainer_that_fails_verification_has_no_row(finished):
    output, directory = finished
    assert output.returncode == 1
    assert f"{WRONG}:SkipsHalf" not in set(rows_of(directory)["trainer"])
    assert re.search(rf"FAILED {WRONG}:SkipsHalf: .*float64 loop", output.stdout)


def test_a_trainer_that_raises_fails_alone(finished):
    assert f"FAILED {WRONG}:Raises: ZeroDivisionError: on purpose" in finished[0].stdout
    assert "Captured log" not in finished[0].stdout, "the report of a failure contains progress messages"


def test_an_unavailable_trainer_is_skipped_with_the_install_command(finished):
    assert re.search(r"skipped gpu: CuPy .*pip install", finished[0].stdout)


def test_summary_lists_the_trainers_in_ladder_order_with_speedups(finished):
    lines = [line for line in finished[0].stdout.splitlines() if line != "(disturbed)"]  # by whatever else this machine does
    start = lines.index("nielsen: 784-30-10, batch 10, learning rate 3, 400 examples, float32")
    table = [line.split() for line in lines[start + 2 : start + 5]]
    assert [cells[0] for cells in table] == ["loop", "matrix", "tests.support.book:Book"]
    assert re.search(r"^matrix +[\d.]+ [mu]?s \([\d.]+-[\d.]+\) +3 +[\d,]+ +[\d.]+x \([\d.]+-[\d.]+\) +\d+% +[\d.]+%$", lines[start + 3])


def test_summary_names_the_machine_the_blas_and_the_files(finished):
    output, directory = finished
    assert re.search(r"machine: test-box \(.+, \d+ cores?, .+\)", output.stdout)
    assert re.search(r"NumPy \S+ on \S+.* with \S+ kernels, \d+ threads?", output.stdout)
    for file in directory.iterdir():
        assert file.name in output.stdout


def test_charts_are_valid_png_and_svg_files(finished):
    pictures = sorted(finished[1].glob("*.png"))
    assert [picture.name.split("test-box-")[1] for picture in pictures] == ["epoch-time.png", "roofline.png", "speedup.png"]
    assert all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    for drawing in finished[1].glob("*.svg"):
        assert ElementTree.parse(drawing).getroot().tag.endswith("svg")
        assert "matrix" in drawing.read_text(encoding="utf-8")


def test_every_case_prints_its_position_and_its_time(finished):
    assert re.search(r"^\[2/5\] nielsen matrix +[\d.]+ [mu]?s .*3 rounds$", finished[0].stdout, re.MULTILINE)


def test_trainers_that_cannot_run_here_have_one_line_in_the_progress(finished):
    progress = finished[0].stdout.split("nielsen: 784-30-10")[0]
    assert not re.search(r"^\[.* gpu ", progress, re.MULTILINE)
    (line,) = [line for line in progress.splitlines() if "cannot run here" in line]
    assert line.startswith("1 trainer cannot run here: ")
    assert line.endswith(" trainers shows what each of them needs")


def test_a_terminal_displays_the_current_round(tmp_path):
    ours, theirs = pytest.importorskip("pty", reason="this system has no pseudo-terminals").openpty()
    command = [sys.executable, "-m", *BENCH, *QUICK, "--trainers", "matrix", "--no-charts", "--results", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # on Linux: the other end is closed
                break
            if not block:
                break
            shown += block
    os.close(ours)
    assert process.returncode == 0
    assert b"\r[1/1] nielsen matrix  verifying" in shown
    assert b"\r[1/1] nielsen matrix  round 2 of 3" in shown


def test_benchmark_disable_runs_every_case_once_and_writes_nothing(tmp_path):
    output = run(*BENCH, "--benchmark-disable", *QUICK, "--trainers", "loop,matrix", "--results", tmp_path)
    assert output.returncode == 0
    assert output.stdout.count("ran once") == 2
    assert not list(tmp_path.iterdir())


def test_a_required_trainer_that_is_skipped_fails(tmp_path):
    options = (*QUICK, "--no-charts", "--trainers", f"matrix,{WRONG}:Absent,loop", "--results", tmp_path / "results")
    output = bench(*options, "-x", "--require", f"{WRONG}:Absent")
    assert output.returncode == 1
    assert re.search(rf"FAILED {WRONG}:Absent: required.* gone fishing", output.stdout)
    assert "unfinished loop: not reached" in output.stdout
    (csv,) = (tmp_path / "results").iterdir()
    assert csv.name.endswith(".partial.csv"), "the run is unfinished"


def stored_in(directory):
    storage = f"--benchmark-storage={directory / 'stored'}"
    return (*QUICK, "--no-charts", "--trainers", "matrix", "--results", directory / "results", storage)


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return a directory with one run, in pytest-benchmark's storage and in a JSON file."""
    directory = tmp_path_factory.mktemp("stored")
    output = bench(*stored_in(directory), f"--benchmark-json={directory / 'run.json'}", "--benchmark-save=first")
    assert output.returncode == 0, output.stdout
    return directory


def test_the_json_of_pytest_benchmark_describes_the_case(stored):
    stored = json.loads((stored / "run.json").read_text())
    facts = {case["name"]: case["extra_info"] for case in stored["benchmarks"]}["test_epoch[nielsen-matrix]"]
    assert facts["layers"] == "784-30-10"
    assert facts["trainer"] == "matrix"
    assert facts["max_error"] < 1e-4
    assert not [key for key in stored["machine_info"]["cpu"] if key.startswith("hz")], "these change with the clock frequency"
    assert "node" not in stored["machine_info"]


def test_a_run_is_compared_with_a_stored_run_and_fails_if_slower(stored, tmp_path):
    options = (*stored_in(stored), "--benchmark-compare=0001", "--benchmark-compare-fail=median:1000000%")  # far more than any noise
    output = bench(*options)
    assert output.returncode == 0
    assert "machine_info is different" not in output.stdout + output.stderr
    assert re.search(r"nielsen-matrix\] \(NOW\)", output.stdout)
    assert re.search(r"nielsen-matrix\] \(0001_first\)", output.stdout)

    shutil.copytree(stored, tmp_path, dirs_exist_ok=True)
    (first,) = (tmp_path / "stored").rglob("*.json")
    first.write_text(re.sub(r'"median": [\d.e-]+', '"median": 1e-9', first.read_text()))
    failed = bench(*stored_in(tmp_path), *options[-2:])
    assert failed.returncode != 0
    assert "Performance has regressed" in failed.stdout + failed.stderr


@pytest.mark.parametrize("compare", [[], ["--benchmark-compare"]], ids=str)
def test_compare_fail_without_a_stored_run_is_a_usage_error(compare, tmp_path):
    output = bench(*stored_in(tmp_path), *compare, "--benchmark-compare-fail=median:5%")
    assert output.returncode == pytest.ExitCode.USAGE_ERROR
    assert re.search(rf"--benchmark-compare-fail: .*{re.escape(str(tmp_path))}", output.stderr)
    assert "Traceback" not in output.stdout + output.stderr


def test_a_grid_draws_throughput_curves(tmp_path):
    grid = ("--batch-size", "10,100", "--examples", "300", "--rounds", "2", "--data", FEW_DIGITS)
    output = bench("--trainers", "loop,matrix", *grid, "--results", tmp_path)
    assert output.returncode == 0, output.stdout
    assert set(rows_of(tmp_path)["workload"]) == {"h30-b10", "h30-b100"}
    assert any(file.name.endswith("throughput-by-batch-size.png") for file in tmp_path.iterdir())


def test_data_and_threads_set_the_dataset_and_the_number_of_threads(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 120), ("t10k", 30)):
        header = np.array([0x803, count, 4, 5], ">u4").tobytes()
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(header + rng.integers(0, 256, (count, 4, 5), np.uint8).tobytes())
        labels = np.arange(count, dtype=np.uint8) % 3
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(np.array([0x801, count], ">u4").tobytes() + labels.tobytes())
    job = ("--data", tmp_path, "--batch-size", "7", "--rounds", "2", "--threads", "1", "--no-charts", "--results", tmp_path / "results")
    output = bench(*job, "--trainers", "loop,matrix")
    assert output.returncode == 0, output.stdout
    rows = rows_of(tmp_path / "results")
    assert set(rows["threads"]) == {1}
    assert "kernels, 1 thread\n" in output.stdout
    assert set(rows["layers"]) == {"20-30-3"}
    assert set(rows["dataset"].str.fullmatch("idx-[0-9a-f]{8}")) == {True}


COUNTING = """
import os
from impls.matrix import Matrix

class Counting(Matrix):
    def _epoch(self, order):
        os.write(self.file, b".")
        super()._epoch(order)

    file = os.open(os.environ["EPOCHS"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
"""


@pytest.mark.parametrize(
    ("seconds", "epochs"),
    [
        ("0", range(1 + 3, 10)),  # the warm-up, the rounds and the verification
        ("2", range(50, 100_000)),  # longer than --patience, which does not limit the warm-up
    ],
)
def test_the_warm_up_lasts_for_its_seconds_and_at_least_one_epoch(tmp_path, seconds, epochs):
    (tmp_path / "counting.py").write_text(COUNTING)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "EPOCHS": str(tmp_path / "epochs")}
    options = ("--warm-up", seconds, "--patience", "1", "--no-charts", "--results", tmp_path / "results")
    output = bench(*JOB, *options, "--trainers", "counting:Counting", env=environment)
    assert output.returncode == 0, output.stdout
    assert (tmp_path / "epochs").stat().st_size in epochs


def test_bad_input_is_a_usage_error_in_one_line(tmp_path):
    output = bench("--trainers", "matrx", "--results", tmp_path)
    assert output.returncode == pytest.ExitCode.USAGE_ERROR
    (error,) = [line for line in output.stderr.splitlines() if line]
    assert re.match("ERROR: unknown trainer 'matrx': .* matrix", error)
    assert "Traceback" not in output.stdout + output.stderr
    assert not list(tmp_path.iterdir())


def test_the_environment_of_a_notebook_and_a_plugin_that_warns_do_not_disturb_a_run(tmp_path):
    """A backend that is not installed, a style that needs LaTeX, Python without assertions, a cache that cannot be written."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    (tmp_path / "warning_plugin.py").write_text(
        "import warnings\n\ndef pytest_configure(config):\n    warnings.warn(DeprecationWarning('set an option'))\n"
    )
    (tmp_path / "a file").touch()
    settings = {"MPLBACKEND": "module://not.installed", "MATPLOTLIBRC": str(tmp_path), "PYTHONOPTIMIZE": "1", "PYTHONPATH": str(tmp_path)}
    output = run(
        *("pytest", "bench", "--benchmark-only", "-p", "warning_plugin", "-o", f"cache_dir={tmp_path / 'a file' / 'cache'}"),
        *(*QUICK, "--trainers", "matrix", "--results", tmp_path / "results"),
        env={**os.environ, **settings},
    )
    assert output.returncode == 0, output.stdout + output.stderr
    assert len(list((tmp_path / "results").glob("*-epoch-time.svg"))) == 1


def test_the_table_comes_before_the_charts_and_stays_if_they_fail(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(
        "import matplotlib.figure\n\ndef fail(*arguments, **options):\n    raise RuntimeError('no fonts')\n\n"
        "matplotlib.figure.Figure.savefig = fail\n"
    )
    output = bench(*QUICK, "--trainers", "matrix", "--results", tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert output.returncode == 0
    table, charts = output.stdout.index("trainer "), output.stdout.index("warning: charts: not drawn (no fonts)")
    assert table < charts
    assert len(rows_of(tmp_path)) == 3


def test_thread_counts_in_the_environment_that_are_not_used_are_named(tmp_path):
    others = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    environment = {**others, "OMP_NUM_THREADS": "7", "MKL_NUM_THREADS": "1"}
    output = bench(*QUICK, "--trainers", "matrix", "--no-charts", "--results", tmp_path, env=environment)
    assert "warning: OMP_NUM_THREADS=7: not used; every trainer may use 1 thread; give --threads N instead" in output.stdout


def test_pytest_finds_no_case_if_it_comes_across_the_directory(tmp_path):
    output = run("pytest", ".", "-p", "no:cacheprovider", "--ignore=tests", "--ignore=results", "-rs")
    assert output.returncode == 0, output.stdout + output.stderr
    assert "1 skipped" in output.stdout
    assert f"to measure, use {own_command()} run, or pytest bench in a clone" in output.stdout
