"""`python -m bench contribute`: the order of the stages, the time limit, and the exit code."""

import re
from dataclasses import replace

import pytest

from bench import records
from bench.__main__ import main
from bench.analysis.validate import PERSONAL, check
from bench.contribute.estimator import Estimator
from bench.contribute.stages import Stage, stages
from bench.stats import intervals
from bench.system import git
from bench.text.numbers import about
from impls import InputError
from tests.support.commands import ROOT
from tests.support.contribute import COMMIT, cases, done


def test_stages_are_measured_in_order_of_value_into_one_directory(machine, tmp_path):
    code, output = done(tmp_path)
    assert code == 0, output
    small = [f"{workload} {trainer}" for workload in ("nielsen", "wide") for trainer in machine.devices]
    large = [f"large {trainer}" for trainer in machine.devices if trainer != "loop"]
    book = [f"train nielsen {trainer}" for trainer in ("matrix", "compiled", "jax_cpu")]
    assert machine.cases[:14] == [*small, *large, *book]
    assert {case.split()[1] for case in machine.cases[14:59]} == {"matrix", "compiled", "jax_cpu"}
    assert machine.cases[59] == "large loop"
    assert [case.split()[1] for case in machine.cases[60:]] == ["loop"] * 15
    assert {path.name for path in tmp_path.iterdir()} == {"box"}
    assert {path.name for path in (tmp_path / "box").iterdir()} == {"main.csv", "large.csv", "book.csv", "grid.csv", "summary.md"}
    assert sum(check(path) != [] for path in (tmp_path / "box").glob("*.csv")) == 0
    measured = {
        re.search(r"test_epoch\[([a-z]+|h)", " ".join(command))[1]: "--anatomy" in command
        for command in machine.commands
        if "train" not in command
    }
    assert measured == {"nielsen": True, "large": True, "h": False}
    assert "where an epoch's time goes" in (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    assert f"git add {tmp_path / 'box'}" in output


def test_only_a_gpu_measures_the_huge_network(machine, tmp_path):
    assert re.search(r"huge .* no trainer", done(tmp_path / "without", 2.0)[1])
    machine.devices["gpu"] = "gpu"
    done(tmp_path / "with", plan=[stage for stage in stages() if stage.name in ("main", "large", "huge")])
    assert [case for case in machine.cases if case.startswith("huge")] == ["huge gpu"]
    assert cases(tmp_path / "with" / "box" / "huge.csv") == {("huge", "gpu"): 8}


def test_with_too_little_time_the_later_stages_are_named_and_not_measured(machine, tmp_path):
    code, output = done(tmp_path, 2.0)
    assert code == 0
    in_grid = [case for case in machine.cases if case.startswith("h")]
    assert {case.split()[0] for case in machine.cases if case not in in_grid} == {"nielsen", "wide", "large", "train"}
    assert "large loop" not in machine.cases
    assert len(in_grid) < 15
    named = output[output.index("\nNot measured:") :]
    assert f"grid: {45 - len(in_grid)} cases" in named
    assert "large-loop: 1 case" in named
    assert "grid-loop: 15 cases" in named
    assert "python -m bench contribute" in named
    assert f"- grid: {45 - len(in_grid)} cases: needs about" in (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")


def test_a_grid_without_enough_time_has_fewer_rounds_and_spans_all_sizes(machine, tmp_path):
    done(tmp_path, 2.7)
    command = machine.commands[-1]
    assert command[command.index("--rounds") + 1] == str(intervals.FEWEST)
    measured = {tuple(map(int, re.findall(r"\d+", case.split()[0]))) for case in machine.cases if case.startswith("h")}
    assert {(30, 1), (30, 10_000), (1000, 1), (1000, 10_000)} <= measured
    assert len(measured) < 15


def test_remaining_time_is_used_at_the_end(machine, tmp_path, monkeypatch):
    # The first stage takes four times its estimate, so the second seems too long. The third shows that the machine is quiet again.
    main, grid, large = (next(stage for stage in stages() if stage.name == name) for name in ("main", "grid", "large"))
    plan = [main, replace(grid, workloads=grid.workloads[:5]), large]
    estimates = {"main": 1.25, "grid": 5.0, "large": 5.0}
    monkeypatch.setattr(Stage, "seconds", lambda self, cases, estimator, rounds: [estimates[self.name]] * len(cases))
    _, output = done(tmp_path, 140 / 60, plan=plan)
    assert "grid, shortened to 4 of 15 cases" in output
    assert "grid again" in output
    assert output.index("large, 3 cases") < output.index("grid again")


def test_a_stage_that_is_slower_than_estimated_stops_at_the_time_limit(machine, tmp_path, monkeypatch):
    monkeypatch.setattr(Stage, "seconds", lambda self, cases, estimator, rounds: [0.1] * len(cases))
    code, output = done(tmp_path, 0.5)
    assert code == 0
    assert machine.cases == ["nielsen loop", "nielsen matrix", "nielsen compiled", "nielsen jax_cpu", "wide loop", "wide matrix"]
    assert "main: 2 cases: the time ran out" in output
    assert len(cases(tmp_path / "box" / "main.csv")) == 6


def test_without_time_for_one_case_the_exit_code_is_3_and_no_directory_remains(machine, tmp_path):
    code, output = done(tmp_path, 0.2)
    assert code == 3
    assert "--minutes 1" in output
    assert list(tmp_path.iterdir()) == []


def test_a_crash_fails_only_one_case(machine, tmp_path):
    machine.what["nielsen matrix"] = "crashes"
    code, output = done(tmp_path, 3.0)
    assert code == 1
    assert re.search("nielsen matrix +FAILED: .*SIGSEGV", output)
    assert set(cases(tmp_path / "box" / "main.csv")) == {(w, t) for w in ("nielsen", "wide") for t in machine.devices} - {
        ("nielsen", "matrix")
    }
    summary = (tmp_path / "box" / "summary.md").read_text(encoding="utf-8")
    assert "nielsen matrix" in summary
    assert not any(pattern.search(summary) for what, pattern in PERSONAL.items() if what == "a path" and "/home" in summary)
    assert "ann" not in summary


def test_estimates_from_the_first_stages_match_the_grid_of_the_reference_machine():
    table = records.read([ROOT / "results" / "amd-epyc-zen5-2-core" / f"{name}.csv" for name in ("main", "grid")])
    medians = table.groupby(["workload", "trainer"])["seconds"].median().to_dict()
    grid = next(stage for stage in stages() if stage.name == "grid")
    workloads = {one.name: one for stage in stages() for one in stage.workloads}
    measured = Estimator(dict.fromkeys(["loop", "matrix", "matrix_tuned", "compiled", "jax_cpu"], "cpu"), workloads, 50_000, medians)
    before = replace(measured, seconds={key: seconds for key, seconds in medians.items() if not key[0].startswith("h")})
    pairs = zip(grid.seconds(grid.cases(before), before, None), grid.seconds(grid.cases(before), measured, None), strict=True)
    for case, (estimate, right) in zip(grid.cases(before), pairs, strict=True):
        assert 0.5 * right < estimate < 2.5 * right, case.title


def test_from_a_large_network_alone_no_trainer_is_estimated_far_slower_than_loop():
    workloads = {one.name: one for stage in stages() for one in stage.workloads}
    large = {("large", "matrix"): 1.1, ("large", "loop"): 15.0}  # `large` has a hundredth of the steps of `nielsen`
    estimator = Estimator(dict.fromkeys(["loop", "matrix"], "cpu"), workloads, 50_000, large, {"nielsen": 1.3, "large": 15.0})
    assert estimator.epoch(workloads["nielsen"], "matrix") <= 1.3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (3.2, "about 3 s"),
        (88.0, "about 90 s"),
        (120.0, "about 2 min"),
        (258.0, "about 4.3 min"),
        (1300.0, "about 22 min"),
        (9000.0, "about 2 h"),
    ],
)
def test_a_time_is_rounded_as_an_estimate(seconds, text):
    assert about(seconds) == text


@pytest.mark.parametrize(
    ("state", "words"),
    [((COMMIT, True), f"commit {COMMIT}"), (("", False), "git: not installed")],
)
def test_code_that_check_would_reject_is_refused_before_the_first_measurement(monkeypatch, machine, capsys, tmp_path, state, words):
    def read(_):
        if not state[0]:
            raise InputError("git", "not installed")
        return state

    monkeypatch.setattr(git, "state", read)
    arguments = ["contribute", "--results", str(tmp_path), "--machine", "box", "--minutes", "1"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "--allow-dirty" in error
    assert error.count("\n") == 1
    assert machine.cases == []
    machine.columns = {"commit": state[0], "dirty": state[1]}
    assert main([*arguments, "--allow-dirty", "--no-charts"]) == 1, "check rejects it"
    assert machine.cases


@pytest.mark.parametrize("minutes", ["0", "-1", "nan", "inf", "soon"])
def test_minutes_must_be_a_positive_number(capsys, minutes):
    with pytest.raises(SystemExit, match="2"):
        main(["contribute", f"--minutes={minutes}"])
    assert f"argument --minutes: {minutes}: " in capsys.readouterr().err
