"""Breakdown of an epoch from the columns of a CSV, and the tables, JSON and chart of it."""

import json
import re

import pytest

from bench import records
from bench.__main__ import main
from bench.anatomy.breakdown import PARTS, breakdowns
from bench.anatomy.calls import UNKNOWN
from tests.support.refusals import assert_about, printed
from tests.support.rows import written

WORK = {"flops": 4_000_000_000, "bytes": 1e9, "peak_flops": 1e11, "peak_bytes": 2e10}  # 40 ms and 50 ms
CALLS = {"call_seconds": 0.03, "call_seconds_low": 0.028, "call_seconds_high": 0.033, "call_seconds_fitted": 0.0303}
NO_CALLS = UNKNOWN


def broken_down(path, seconds=0.1, **columns):
    csv = written(path / "a.csv", {("nielsen", "matrix"): [seconds] * 5}, **{**WORK, **CALLS, **columns})
    _, found = breakdowns(records.read([csv]))
    return next(iter(found.values()))["matrix"] if found else None


def test_the_parts_add_up_to_the_epoch(tmp_path):
    one = broken_down(tmp_path)
    assert one.seconds == pytest.approx((0.04, 0.01, 0.03, 0.02))  # memory takes 10 ms beyond the arithmetic
    assert one.drawn == pytest.approx(one.seconds)
    assert one.error == pytest.approx(0.01)
    assert one.holds


def test_memory_that_the_arithmetic_hides_is_no_part(tmp_path):
    assert broken_down(tmp_path, peak_bytes=1e11).seconds == pytest.approx((0.04, 0, 0.03, 0.03))


def test_parts_that_overlap_leave_a_negative_rest_and_a_bar_as_long_as_the_epoch(tmp_path):
    one = broken_down(tmp_path, seconds=0.06)
    assert one.rest == pytest.approx(-0.02)
    assert one.drawn == pytest.approx((0.04, 0.01, 0.01, 0))


def test_a_fit_that_misses_the_calls_by_more_than_a_tenth_does_not_hold(tmp_path):
    assert not broken_down(tmp_path, call_seconds_fitted=0.025).holds
    assert broken_down(tmp_path, call_seconds_fitted=0.025, call_seconds_low=0.024).holds, "within the interval of the calls"
    assert broken_down(tmp_path, call_seconds_fitted=None).holds, "no fit shows nothing"


def test_runs_without_calls_have_no_breakdown(tmp_path):
    assert broken_down(tmp_path, **NO_CALLS) is None
    with_calls = written(tmp_path / "b.csv", {("nielsen", "matrix"): [0.1] * 5}, run_id="r2", **WORK, **CALLS)
    _, found = breakdowns(records.read([tmp_path / "a.csv", with_calls]))
    assert [configuration.runs for configuration, _ in found] == [("r2",)]


def test_all_trainers_have_the_same_peak_and_runs_are_pooled(tmp_path):
    cases = {("nielsen", "matrix"): [0.1] * 5}
    runs = [
        written(tmp_path / f"{run}.csv", cases, run_id=run, **{**WORK, **CALLS, "peak_flops": peak, "call_seconds": calls})
        for run, peak, calls in (("r1", 1e11, 0.03), ("r2", 2e11, 0.04))
    ]
    runs.append(written(tmp_path / "r3.csv", {("nielsen", "loop"): [0.1] * 5}, run_id="r2", **{**WORK, **CALLS}))
    for order in (runs, runs[::-1]):
        _, found = breakdowns(records.read(order))
        ((configuration, _), trainers), *others = found.items()
        assert not others
        assert set(configuration.runs) == {"r1", "r2"}
        assert (trainers["matrix"].arithmetic, trainers["loop"].arithmetic) == pytest.approx((0.02, 0.02))
        assert trainers["matrix"].calls.value == pytest.approx(0.035)


def test_a_case_without_calls_and_a_disturbed_one_are_named(tmp_path, capsys):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1] * 5}, **WORK, **CALLS, load=0.3)
    written(tmp_path / "b.csv", {("nielsen", "mine:Mine"): [0.1] * 5}, **WORK, **NO_CALLS)
    assert main(["anatomy", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "calls not measured: nielsen mine:Mine;" in text
    assert "nielsen matrix 30%" in text
    assert main(["anatomy", str(csv), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [(one["trainer"], one["cause"]) for one in answer["disturbed"]] == [("matrix", "load")]


def test_the_command_prints_the_parts_of_csvs_and_draws_them(tmp_path, capsys):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1] * 5, ("wide", "loop"): [0.06] * 5}, **{**WORK, **CALLS})
    assert main(["anatomy", str(csv), "-o", str(tmp_path / "charts")]) == 0
    text = capsys.readouterr().out
    parts = r"40\.0 ms 40% +10\.0 ms 10% +30\.0 ms \(28\.0-33\.0\) 30% +20\.0 ms 20%"
    costs = r"5\.00 us \(4\.00-6\.00\) +100 ns \(0-200\) +\+1% +54"
    assert re.search(rf"^matrix +100 ms .* {parts} +{costs}$", text, re.MULTILINE)
    assert "loop: " in text, "its parts overlap"
    assert all((tmp_path / "charts" / f"anatomy.{kind}").stat().st_size > 5000 for kind in ("png", "svg"))
    drawing = (tmp_path / "charts" / "anatomy.svg").read_text(encoding="utf-8")
    assert all(f">{part}: " in drawing for part in PARTS)
    assert ">loop +<" in drawing, "its parts overlap"

    assert main(["anatomy", str(csv), "--json"]) == 0
    one, other = json.loads(capsys.readouterr().out)["epochs"]
    assert (one["trainer"], other["trainer"]) == ("matrix", "loop")
    assert one["calls"] == {"value": 0.03, "low": 0.028, "high": 0.033}
    assert other["rest"] == pytest.approx(-0.02)

    assert main(["anatomy", str(csv), "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("### nielsen: ")


def test_input_that_the_command_cannot_use_is_refused(tmp_path, capsys):
    csv = written(tmp_path / "a.csv", {("nielsen", "matrix"): [0.1] * 5}, **NO_CALLS)
    assert main(["anatomy", str(csv)]) == 2
    assert_about(printed(capsys.readouterr().err), str(csv), "--anatomy")
    assert main(["anatomy", str(csv), "--trainers", "loop"]) == 2
    assert_about(printed(capsys.readouterr().err), "--trainers", "CSV")
    assert main(["anatomy", "-o", str(tmp_path)]) == 2
    assert_about(printed(capsys.readouterr().err), f"-o {tmp_path}", "--results")
    assert main(["anatomy", str(csv), "--json", "--markdown"]) == 2
