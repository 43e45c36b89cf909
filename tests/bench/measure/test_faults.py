"""Faulty trainers: each is named with its reason, and the others are measured all the same."""

import re
import sys

import pytest

from tests.support.commands import QUICK, bench, command
from tests.support.runs import WRONG, posix, started, trainers_in

REASONS = {
    "Raises": "ZeroDivisionError: on purpose",
    "Exits": "exits the interpreter, with exit code 3",
    "Greedy": "MemoryError: Unable to allocate",
    "NotANumber": "does not compute what the float64 loop computes: .* off by nan",
    "NotANumberWhileTimed": "returns weights that are not finite numbers after an epoch",
    "HangsWhileTimed": r"hangs: warming up took more than 4 s, at last in processes.py, line \d+",
    "Early": "returns before its work is done: .* of it are left then",
    "Lazy": "returns before its work is done: .* of it are left then",
    "ChangesImages": "changes the images that it is given; it must copy them",
    "ChangesOrder": "changes the order that it is given; it must copy them",
    "ChangesItsAnswer": "changes its answer while it is timed: its first and its last epoch end .* apart",
    "ChangesEverybodysAnswer": "does not compute what the float64 loop computes: .* off by",
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory):
    """A run of all of them between two that are right: its output, and its results."""
    results = tmp_path_factory.mktemp("results")
    names = ",".join(f"{WRONG}:{name}" for name in [*REASONS, "Warns"] if name != "HangsWhileTimed" or sys.platform != "win32")
    return bench(*QUICK, "--no-charts", "--patience", "4", "--trainers", f"loop,{names},matrix", "--results", results), results


@pytest.mark.parametrize("name", REASONS)
def test_a_faulty_trainer_is_named_with_its_reason(faults, name):
    if name == "HangsWhileTimed" and sys.platform == "win32":
        pytest.skip("Windows knows no signals to interrupt with")
    failure = rf"^FAILED (\S+, )*{WRONG}:{name}(, \S+)*: {REASONS[name]}"  # those with the same reason are named together
    assert re.search(failure, faults[0].stdout, re.MULTILINE), faults[0].stdout


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
        _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert f"epochbench: the run ended without a word at nielsen {WRONG}:{name}, warming up: {cause}\n" in errors
    assert re.search(r"^epochbench: finished: 1 case, 3 rows, in .*\.partial\.csv$", errors, re.MULTILINE)
    assert "\nepochbench: not reached: nielsen loop\n" in errors
    assert trainers_in(tmp_path) == ["matrix"] * 3


# --- training -----------------------------------------------------------------------------------------------------------------------


def test_train_goes_on_after_a_faulty_trainer_and_names_it(tmp_path):
    names = ["Raises", "Exits", "Greedy", "Early", "ChangesEverybodysAnswer", *(["HangsWhileTimed"] if sys.platform != "win32" else [])]
    trainers = ",".join(["matrix", *(f"{WRONG}:{name}" for name in names), "loop"])
    job = ("--examples", "400", "--threads", "1", "--epochs", "1", "--patience", "4", "--no-charts")
    output = command("train", *job, "--results", tmp_path, "--trainers", trainers)
    assert output.returncode == 1
    for name in names:
        reason = REASONS[name].replace("warming up", "epoch 1 of 1")
        assert re.search(f"^{WRONG}:{name}: FAILED: {reason}", output.stdout, re.MULTILINE), output.stdout
    assert trainers_in(tmp_path) == ["matrix", "loop"]
