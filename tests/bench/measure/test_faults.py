"""Faulty trainers: the run names each with its reason, and still measures the others."""

import os
import re
import sys

import pytest

from tests.support.commands import QUICK, bench, command
from tests.support.runs import WRONG, posix, started, trainers_in

WRONG_LATER = r"differs from the float64 matrix: after 400 examples .* [\d.]+e[+-]\d+ of the distance trained"
REASONS = {
    "Raises": "ZeroDivisionError: on purpose",
    "Exits": "exits the interpreter with exit code 3",
    "ExitsWithWords": "exits the interpreter: not today",
    "ExitsAtOnce": "exits the interpreter with exit code 0",
    "Greedy": "MemoryError: Unable to allocate",
    "NotANumber": "differs from the float64 loop.* nan",
    "NotANumberWhileTimed": "returns weights that are not finite",
    "HangsWhileTimed": r"hangs: warming up .* 4 s.* processes.py, line \d+",
    "Early": r"returns before its work is done: [\d.]+ [mu]?s ",
    "EarlyFromTheSecondEpochOn": r"returns before its work is done: [\d.]+ [mu]?s ",
    "Lazy": r"returns before its work is done: [\d.]+ [mu]?s ",
    "TrainsAheadInLoad": r"loads weights in [\d.]+ m?s, which is not timed",
    "DoesNothingButKnowsTheAnswer": r"returns too soon: [\d.]+ [mu]?s per epoch",
    "WrongWhileTimed": WRONG_LATER,
    "WrapsIndices": WRONG_LATER,
    "RepeatsATenth": WRONG_LATER,
    "MislabelsLate": WRONG_LATER,
    "Clips": WRONG_LATER,
    "ChangesImages": "changes its inputs: images;",
    "ChangesOrder": "changes its inputs: order;",
    "ChangesItsAnswer": r"is not reproducible: .* [\d.]+e[+-]\d+ of the distance trained",
    "ChangesEverybodysAnswer": r"differs from the float64 loop.* [\d.]+e[+-]\d+ of the distance trained",
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """A run of all faulty trainers between two correct ones: its output and its results."""
    results = tmp_path_factory.mktemp("results")
    names = ",".join(f"{WRONG}:{name}" for name in [*REASONS, "Warns"] if name != "HangsWhileTimed" or sys.platform != "win32")
    return bench(*QUICK, "--no-charts", "--patience", "4", "--trainers", f"loop,{names},matrix", "--results", results), results


@pytest.mark.parametrize("name", REASONS)
def test_the_run_names_a_faulty_trainer_and_its_reason(faults, name):
    if name == "HangsWhileTimed" and sys.platform == "win32":
        pytest.skip("Windows has no SIGUSR2")
    failure = rf"^FAILED (\S+, )*{WRONG}:{name}(, \S+)*: {REASONS[name]}"  # one line names all trainers with the same reason
    assert re.search(failure, faults[0].stdout, re.MULTILINE), faults[0].stdout


def test_the_run_measures_the_other_trainers(faults):
    assert faults[0].returncode == 1
    assert trainers_in(faults[1]) == ["loop"] * 3 + [f"{WRONG}:Warns"] * 3 + ["matrix"] * 3
    assert "Error" not in faults[0].stderr


def test_a_warning_of_a_library_is_printed_and_is_not_a_failure(faults):
    assert "the driver is old" in faults[0].stderr
    assert "and slow" in faults[0].stdout
    assert "Benchmark fixture was not used" not in faults[0].stdout, "a failed case needs no second message"


@posix
def test_a_timeout_of_another_plugin_fires(tmp_path):
    """As pytest-timeout does: a timer, and a handler that fails the test."""
    (tmp_path / "timeout_plugin.py").write_text(
        "import signal, pytest\n\ndef pytest_runtest_call(item):\n"
        "    signal.signal(signal.SIGALRM, lambda *_: pytest.fail('it took too long'))\n    signal.alarm(2)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    options = ("-p", "timeout_plugin", "--trainers", f"{WRONG}:HangsWhileTimed", "--results", tmp_path / "results")
    output = bench(*QUICK, "--patience", "60", *options, env=environment)
    assert output.returncode == 1
    assert f"FAILED {WRONG}:HangsWhileTimed: it took too long" in output.stdout


# --- faults that end the process ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        pytest.param("Crashes", "crashed"),
        pytest.param("ExitsInCWhileTimed", "exited", marks=posix),
        pytest.param("HangsInC", "hung", marks=posix),
    ],
)
def test_the_watchdog_reports_a_run_that_ends_unexpectedly(tmp_path, name, cause):
    with started("--patience", "2", "--trainers", f"matrix,{WRONG}:{name},loop", "--results", tmp_path) as process:
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert re.search(rf"^epochbench: .* nielsen {WRONG}:{name}, warming up: .*\b{cause}\b", errors, re.MULTILINE)
    assert re.search(r"^epochbench: finished: 1 case, 3 rows, in .*\.partial\.csv$", errors, re.MULTILINE)
    assert "\nepochbench: not reached: nielsen loop\n" in errors
    assert trainers_in(tmp_path) == ["matrix"] * 3


def test_a_trainer_that_stops_the_run_does_not_make_it_a_success(tmp_path):
    output = bench(*QUICK, "--no-charts", "--trainers", f"loop,{WRONG}:StopsTheRun,matrix", "--results", tmp_path)
    assert output.returncode == 2
    assert "unfinished matrix: not reached" in output.stdout
    assert trainers_in(tmp_path) == ["loop"] * 3


# --- training -----------------------------------------------------------------------------------------------------------------------


def test_train_names_a_faulty_trainer_and_continues(tmp_path):
    names = [
        "Raises",
        "Exits",
        "Greedy",
        "Early",
        "ChangesEverybodysAnswer",
        "RepeatsATenth",
        *(["HangsWhileTimed"] if sys.platform != "win32" else []),
    ]
    trainers = ",".join(["matrix", *(f"{WRONG}:{name}" for name in names), "loop"])
    job = ("--examples", "400", "--threads", "1", "--epochs", "1", "--patience", "4", "--no-charts")
    output = command("train", *job, "--results", tmp_path, "--trainers", trainers)
    assert output.returncode == 1
    for name in names:
        reason = REASONS[name].replace("warming up", "epoch 1 of 1")
        assert re.search(f"^{WRONG}:{name}: FAILED: {reason}", output.stdout, re.MULTILINE), output.stdout
    assert trainers_in(tmp_path) == ["matrix", "loop"]
