"""The answer of a comparison in one sentence: which machine is faster, on which cases, and what it must not count."""

import numpy as np
import pytest

from bench import records
from bench.analysis.compare import compare
from bench.analysis.headline import sentences
from bench.analysis.speeds import Speeds
from bench.analysis.timings import timings
from tests.support.rows import written

CASES = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1, ("wide", "matrix"): 0.4}


def scaled(factor, cases=CASES):
    return {case: factor * seconds for case, seconds in cases.items()}


def answer(tmp_path):
    return compare([tmp_path], baseline=None)


def test_two_machines_are_compared_by_the_geometric_mean_of_the_cases_that_both_ran(tmp_path):
    written(tmp_path / "a.csv", CASES | {("large", "matrix"): 1.0}, machine="slow")
    written(tmp_path / "b.csv", scaled(1 / 2) | {("wide", "matrix"): 0.4 / 4, ("nielsen", "compiled"): 0.001}, machine="fast")
    found = answer(tmp_path)
    base, fast = sorted(found.ranking, key=lambda one: one.machine == "fast")
    assert fast.ratio.value == pytest.approx((2 * 2 * 4) ** (1 / 3))
    assert fast.ratio.low < fast.ratio.value < fast.ratio.high
    assert {(case.work.workload, case.trainer) for case in fast.cases} == set(CASES)
    assert (base.machine, base.ratio.value) == ("slow", 1)
    first = sentences(found)[0]
    assert first.startswith("fast is 2.52 (")
    assert first.endswith(") times as fast as slow on the 3 cases that both ran.")
    assert found.text().startswith(first)
    assert not any("compiled" in one or "large" in one for one in sentences(found)[:-1]), "only one of them ran these"
    assert sentences(found)[-1].endswith("on fast with compiled, which 1 of the 2 machines ran.")


def test_the_cases_on_which_the_slower_machine_is_faster_are_named(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a")
    written(tmp_path / "b.csv", scaled(1 / 3) | {("wide", "matrix"): 0.8}, machine="b")
    assert sentences(answer(tmp_path))[1] == "But a is faster on 1 of the 3 cases: matrix on wide (2.00x)."


def test_machines_whose_ratio_may_be_1_are_tied(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a")
    written(tmp_path / "b.csv", scaled(0.99), machine="b")
    assert "b and a are tied" in sentences(answer(tmp_path))[0]


def test_a_machine_counts_once_at_its_fastest_number_of_threads(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a", run_id="a")
    written(tmp_path / "b1.csv", CASES, machine="b", run_id="b1", threads=1)
    written(tmp_path / "b2.csv", scaled(1 / 2), machine="b", run_id="b2", threads=2)
    found = answer(tmp_path)
    assert [(one.machine, round(one.ratio.value, 2)) for one in found.ranking] == [("b", 2.0), ("a", 1.0)]
    assert "b, 2 threads" in found.text()
    assert "b, 1 thread " not in found.text()


def test_several_machines_are_sorted_by_speed_and_fit_on_a_screen(tmp_path):
    for number in range(10):
        written(tmp_path / f"{number}.csv", scaled(2.0 ** (number % 5 - number % 2)), machine=f"machine-{number}", run_id=f"r{number}")
    found = answer(tmp_path)
    ratios = [one.ratio.value for one in found.ranking]
    assert ratios == sorted(ratios, reverse=True)
    assert sentences(found)[0].startswith("With the same trainers on the CPU, machine-")
    tables = found.text().split("\n\n", 1)[1]
    assert max(map(len, tables.splitlines())) <= 140
    assert len(tables.splitlines()) < 100


def test_machines_without_a_common_case_have_no_winner(tmp_path):
    written(tmp_path / "a.csv", {("nielsen", "loop"): 1.0}, machine="a")
    written(tmp_path / "b.csv", {("nielsen", "matrix"): 0.1}, machine="b")
    assert sentences(answer(tmp_path)) == [
        "a and b have no undisturbed case in common, so they cannot be compared.",
        "The shortest epoch of nielsen takes 100 ms: on b with matrix, which 1 of the 2 machines ran.",
    ]


def test_disturbed_cases_are_left_out(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a")
    written(tmp_path / "b1.csv", scaled(1 / 2, {("nielsen", "loop"): 1.0}), machine="b", run_id="r")
    written(tmp_path / "b2.csv", {("nielsen", "matrix"): 5.0}, machine="b", run_id="r", load=0.6)
    found = answer(tmp_path)
    assert sentences(found)[0].endswith("on the one case that both ran, loop on nielsen.")
    assert "1 disturbed case is left out." in sentences(found)
    assert ", disturbed" in found.text()
    assert [won.trainer for (_, where), won in found.winners.items() if where.machine == "b"] == ["loop"]


def test_a_machine_without_an_undisturbed_case_has_no_answer(tmp_path):
    written(tmp_path / "a.csv", CASES, load=0.6)
    found = answer(tmp_path)
    assert sentences(found) == []
    assert "every trainer was disturbed" in found.text()


def test_one_machine_shows_what_matrices_and_the_fastest_gain_and_where_that_changes(tmp_path):
    grid = {(f"h30-b{b}", name): t for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}
    written(tmp_path / "a.csv", CASES | {("nielsen", "compiled"): 0.02} | grid)
    first, crossing = sentences(answer(tmp_path))
    assert first.startswith("On nielsen, matrix is 10.0 (")
    assert "compiled is the fastest: 50.0 (" in first
    assert "gpu overtakes matrix" in crossing
    assert "near 100 (10 to 1,000)" in crossing


def test_the_answer_follows_the_choice_of_workload_and_machine(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a")
    written(tmp_path / "b.csv", scaled(1 / 2), machine="b")
    found = answer(tmp_path)
    nielsen, wide = found.timings.jobs
    assert sentences(found, job=nielsen)[0].endswith("on the 2 trainers that both ran on nielsen.")
    assert sentences(found, job=wide, machine="b")[0].startswith("On wide, matrix takes 200 ms")


def test_the_ranking_does_not_depend_on_the_baseline(tmp_path):
    """Machine b is 3 times as fast as a on the loop, and twice as fast as c on matrix, which a never ran."""
    written(tmp_path / "a.csv", {("nielsen", "loop"): 3.0}, machine="a")
    written(tmp_path / "b.csv", {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}, machine="b")
    written(tmp_path / "c.csv", {("nielsen", "matrix"): 0.2}, machine="c")
    for baseline in ("a", "b", "c"):
        found = compare([tmp_path], baseline=baseline)
        assert [one.machine for one in found.ranking] == ["b", "c", "a"]
        assert sentences(found)[0].startswith("With the same trainers on the CPU, b is the fastest of 3 machines: 2.00 (")
        ratio = {one.machine: one.ratio.value for one in found.ranking}
        assert ratio["b"] / ratio["a"] == pytest.approx(3.0)
        assert ratio["b"] / ratio["c"] == pytest.approx(2.0)


def test_a_disturbed_baseline_does_not_hide_the_others(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a", run_id="a", load=0.6)
    written(tmp_path / "b.csv", CASES, machine="b", run_id="b")
    written(tmp_path / "c.csv", scaled(1 / 2), machine="c", run_id="c")
    found = answer(tmp_path)
    assert sentences(found)[0].startswith("c is 2.00 (")
    assert "a has no undisturbed case in common with them." in sentences(found)
    assert "speed: over b" in found.text()


def test_a_baseline_with_a_number_of_threads_counts_with_that_number(tmp_path):
    written(tmp_path / "a1.csv", CASES, machine="a", run_id="a1", threads=1)
    written(tmp_path / "a2.csv", scaled(1 / 2), machine="a", run_id="a2", threads=2)
    written(tmp_path / "b.csv", scaled(1 / 4), machine="b", run_id="b", threads=2)
    assert sentences(compare([tmp_path], baseline="a"))[0].startswith("b is 2.00 (")
    assert sentences(compare([tmp_path], baseline="a, 1 thread"))[0].startswith("b is 4.00 (")


def test_a_disturbed_trainer_that_may_be_the_fastest_is_not_denied(tmp_path):
    written(tmp_path / "a.csv", {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1}, run_id="r")
    written(tmp_path / "b.csv", {("nielsen", "compiled"): 0.01}, run_id="r", load=0.6)
    assert "matrix is the fastest undisturbed trainer: 10.0 (" in sentences(answer(tmp_path))[0]


def test_of_runs_that_disagree_the_newest_counts(tmp_path):
    written(tmp_path / "a.csv", CASES, machine="a")
    written(tmp_path / "b1.csv", scaled(1 / 4), machine="b", run_id="20260101")
    written(tmp_path / "b2.csv", scaled(1 / 2), machine="b", run_id="20260102")
    assert sentences(answer(tmp_path))[0].startswith("b is 2.00 (")


def test_equal_machines_are_tied_at_least_19_times_in_20(tmp_path):
    """Cases of 9 rounds with 1 % noise, in processes that differ by 2.5 %, as recorded ones do."""
    rng = np.random.default_rng(0)
    tied = []
    for number in range(40):
        files = []
        for machine in ("a", "b"):
            typical = {("nielsen", trainer): np.exp(0.025 * rng.standard_normal()) for trainer in ("loop", "matrix", "compiled", "mpi")}
            times = {case: list(seconds * np.exp(0.01 * rng.standard_normal(9))) for case, seconds in typical.items()}
            files.append(written(tmp_path / f"{machine}{number}.csv", times, machine=machine, run_id=machine))
        ratio = Speeds(timings(records.read(files))).over("b", "a")
        tied.append(ratio.low <= 1 <= ratio.high)
    assert np.mean(tied) >= 0.95
