"""Tests of `compare --over-time`: a change is reported only if it is larger than the differences of runs."""

import json

import pytest

from bench.__main__ import main
from bench.analysis.history import history
from tests.support.rows import written


def commit(directory, number, seconds, **columns):
    times = {("nielsen", "matrix"): seconds}
    row = {"run_id": f"r{number}", "commit": f"c{number}", "started_at": f"2026-01-{number:02}T00:00:00+00:00"}
    return written(directory / f"{9 - number}.csv", times, **{**row, **columns})


def test_a_change_is_reported_at_the_commit_that_begins_a_new_level(tmp_path):
    for number, seconds in enumerate((0.100, 0.101, 0.103, 0.080, 0.081, 0.120), start=1):
        commit(tmp_path, number, seconds)
    (course,) = history([tmp_path]).courses
    assert [point.commit for point in course.points] == ["c1", "c2", "c3", "c4", "c5", "c6"], "ordered by time, not by file name"
    changes = {point.commit: point.change for point in course.points if point.change}
    assert list(changes) == ["c4", "c6"]
    assert changes["c4"].value == pytest.approx(0.101 / 0.0805), "all runs of the level before, over all of this one"
    assert changes["c6"].low < 0.0805 / 0.120 < changes["c6"].high


def test_rounds_that_differ_more_than_the_commits_show_no_change(tmp_path):
    commit(tmp_path, 1, [0.10, 0.11, 0.12, 0.13, 0.14])
    commit(tmp_path, 2, [0.13, 0.14, 0.15, 0.16, 0.17])
    (course,) = history([tmp_path]).courses
    assert [point.change for point in course.points] == [None, None]


def test_a_disturbed_run_is_shown_and_is_not_a_change(tmp_path):
    for number, busy in enumerate((0.0, 0.0, 0.4, 0.0, 0.0), start=1):
        commit(tmp_path, number, 0.2 if busy else 0.1, load=busy)
    (course,) = history([tmp_path]).courses
    assert [point.epoch.value for point in course.points] == [0.1, 0.1, 0.2, 0.1, 0.1]
    assert [point.disturbed for point in course.points] == [False, False, True, False, False]
    assert not any(point.change for point in course.points)


def test_a_commit_with_an_undisturbed_run_has_the_time_of_that_run(tmp_path):
    commit(tmp_path, 1, 0.1)
    commit(tmp_path, 2, 0.1)
    commit(tmp_path, 3, 0.2, commit="c2", load=0.4)
    (course,) = history([tmp_path]).courses
    assert [(point.epoch.value, point.disturbed, point.runs) for point in course.points] == [(0.1, False, 1), (0.1, False, 2)]


def test_a_history_of_disturbed_runs_only_has_no_change(tmp_path):
    for number in (1, 2):
        commit(tmp_path, number, 0.1 * number, load=0.4)
    (course,) = history([tmp_path]).courses
    assert [(point.disturbed, point.change) for point in course.points] == [(True, None), (True, None)]


def test_output_as_text_json_markdown_and_chart(tmp_path, capsys):
    commit(tmp_path, 1, 0.1)
    commit(tmp_path, 2, 0.2, dirty=True)
    assert main(["compare", "--over-time", str(tmp_path), "-o", str(tmp_path / "charts")]) == 0
    output = capsys.readouterr().out
    assert "2026-01-02   c2 changed   200 ms" in output
    assert "slower: 2.00x" in output
    assert "2.00x slower" in (tmp_path / "charts" / "history.svg").read_text(encoding="utf-8")
    assert main(["compare", "--over-time", "--json", str(tmp_path)]) == 0
    (course,) = json.loads(capsys.readouterr().out)["courses"]
    assert course["points"][1]["change"]["value"] == pytest.approx(0.5)
    assert main(["compare", "--over-time", "--markdown", str(tmp_path)]) == 0
    assert "| 2026-01-01 | c1 | 100 ms" in capsys.readouterr().out


def test_one_commit_has_no_history(tmp_path, capsys):
    commit(tmp_path, 1, 0.1)
    assert main(["compare", "--over-time", str(tmp_path)]) == 3
    output = capsys.readouterr()
    assert "two commits" in output.err
    assert "nielsen" not in output.out


@pytest.mark.parametrize(
    "columns",
    [{"python": "CPython 3.13.1"}, {"blas": "openblas 0.3.40"}, {"library": "numpy 2.5.0"}, {"system_model": "Amazon EC2 m7i.large"}],
    ids=lambda columns: next(iter(columns)),
)
def test_a_new_environment_is_marked_and_not_blamed_on_a_commit(tmp_path, columns, capsys):
    commit(tmp_path, 1, 0.100)
    commit(tmp_path, 2, 0.101)
    commit(tmp_path, 3, 0.150, **columns)
    commit(tmp_path, 4, 0.151, **columns)
    commit(tmp_path, 5, 0.200, **columns)
    (course,) = history([tmp_path]).courses
    assert [point.commit for point in course.points if point.marks] == ["c3"]
    ((name, value),) = columns.items()
    (mark,) = course.points[2].marks
    assert (mark.name, mark.now) == (name, value)
    assert [point.commit for point in course.points if point.change] == ["c5"], "compared with c3 and c4"
    assert main(["compare", "--over-time", str(tmp_path), "-o", str(tmp_path / "charts")]) == 0
    assert f"to {value}" in capsys.readouterr().out
    assert f"now {value}" in (tmp_path / "charts" / "history.svg").read_text(encoding="utf-8")


def test_a_change_is_found_although_the_environments_take_turns(tmp_path):
    for number in range(1, 9):
        faster = {"python": "CPython 3.13.1"} if number % 2 else {}
        commit(tmp_path, number, (0.1 if faster else 0.2) * (2 if number > 4 else 1), **faster)
    (course,) = history([tmp_path]).courses
    assert {point.commit: round(point.change.value, 2) for point in course.points if point.change} == {"c5": 0.5, "c6": 0.5}
    assert all(point.marks for point in course.points[1:])


def test_one_commit_in_two_environments_has_two_points(tmp_path):
    commit(tmp_path, 1, 0.1)
    commit(tmp_path, 2, 0.2, commit="c1", python="CPython 3.13.1")
    commit(tmp_path, 3, 0.2, python="CPython 3.13.1")
    (course,) = history([tmp_path]).courses
    assert [(point.commit, point.change) for point in course.points] == [("c1", None), ("c1", None), ("c3", None)]


def test_a_file_of_an_older_schema_has_no_mark(tmp_path):
    commit(tmp_path, 1, 0.1, system_model="", cpu_id="")
    commit(tmp_path, 2, 0.2, system_model="Amazon EC2 m7i.large")
    (course,) = history([tmp_path]).courses
    assert [point.marks for point in course.points] == [(), ()]
    assert course.points[1].change


def test_a_driver_marks_the_trainers_on_the_gpu_only(tmp_path):
    for number, driver in enumerate(("580.1", "590.2"), start=1):
        row = {"run_id": f"r{number}", "commit": f"c{number}", "started_at": f"2026-01-0{number}T00:00:00+00:00", "gpu_driver": driver}
        written(tmp_path / f"{number}.csv", {("nielsen", "matrix"): 0.1, ("nielsen", "gpu"): 0.01}, **row)
    matrix, gpu = history([tmp_path]).courses
    assert (matrix.trainer, matrix.points[1].marks) == ("matrix", ())
    assert (gpu.trainer, *map(str, gpu.points[1].marks)) == ("gpu", "gpu_driver: 580.1 to 590.2")


def test_another_processor_under_the_same_name_is_marked_and_not_a_slower_commit(tmp_path, capsys):
    other = {"cpu": "Intel Xeon Platinum 8370C", "cores": 4}
    for number, seconds in enumerate((0.100, 0.130, 0.101, 0.131, 0.102, 0.200), start=1):
        commit(tmp_path, number, seconds, **({} if number % 2 else other))
    (course,) = history([tmp_path]).courses
    assert [point.environment for point in course.points] == [0, 1, 0, 1, 0, 1]
    assert [point.commit for point in course.points if point.change] == ["c6"]
    assert str(*course.points[1].marks) == "machine: box (Some CPU) to box (Intel Xeon Platinum 8370C)"
    assert main(["compare", "--over-time", str(tmp_path)]) == 0
    assert "the rows are from 2 machines" in capsys.readouterr().err


OLDER = {"system_model": "", "cpu_id": "", "caches": ""}


def test_a_value_that_an_older_file_lacks_is_known_from_the_next_one_on(tmp_path):
    for number, columns in enumerate((OLDER, {"system_model": "m7i.large"}, {"system_model": "m8i.large"}), start=1):
        commit(tmp_path, number, 0.1 if number < 3 else 0.2, **columns)
    (course,) = history([tmp_path]).courses
    assert [point.environment for point in course.points] == [0, 0, 1]
    assert [(*map(str, point.marks), point.change) for point in course.points][1:] == [
        (None,), ("system_model: m7i.large to m8i.large", None),
    ]  # fmt: skip


def test_a_file_without_a_value_does_not_hide_a_mark(tmp_path):
    for number, columns in enumerate(({"system_model": "m7i.large"}, OLDER, {"system_model": "m8i.large"}), start=1):
        commit(tmp_path, number, 0.1, **columns)
    (course,) = history([tmp_path]).courses
    assert [len(point.marks) for point in course.points] == [0, 0, 1]


def test_a_mark_stands_in_the_row_of_its_own_run(tmp_path):
    newer = {"python": "CPython 3.13.1"}
    rows = [(1, "c0", {}, "matrix"), (1, "c0", {}, "loop"), (2, "c1", {}, "matrix"), (5, "c1", newer, "matrix"), (5, "c1", newer, "loop")]
    for number, (day, name, columns, trainer) in enumerate(rows):
        row = {"run_id": f"r{day}", "commit": name, "started_at": f"2026-01-0{day}T00:00:00+00:00", **columns}
        written(tmp_path / f"{number}.csv", {("nielsen", trainer): 0.1}, **row)
    loop, matrix = history([tmp_path]).courses
    assert [point.started_at[:10] for point in loop.points] == ["2026-01-01", "2026-01-05"]
    assert [(point.started_at[:10], len(point.marks)) for point in matrix.points] == [
        ("2026-01-01", 0), ("2026-01-02", 0), ("2026-01-05", 1),
    ]  # fmt: skip
