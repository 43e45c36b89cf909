"""Tests of `compare --over-time`: a change is reported only if the intervals do not overlap."""

import json

import pytest

from bench.__main__ import main
from bench.analysis.history import history
from tests.support.rows import written


def commit(directory, number, seconds, **columns):
    times = {("nielsen", "matrix"): seconds}
    row = {"run_id": f"r{number}", "commit": f"c{number}", "started_at": f"2026-01-{number:02}T00:00:00+00:00"}
    return written(directory / f"{9 - number}.csv", times, **{**row, **columns})


def test_a_change_is_reported_if_the_intervals_do_not_overlap(tmp_path):
    for number, seconds in enumerate((0.100, 0.101, 0.103, 0.080, 0.081, 0.120), start=1):
        commit(tmp_path, number, seconds)
    (course,) = history([tmp_path]).courses
    assert [point.commit for point in course.points] == ["c1", "c2", "c3", "c4", "c5", "c6"], "ordered by time, not by file name"
    changes = {point.commit: point.change for point in course.points if point.change}
    assert list(changes) == ["c4", "c6"]
    assert changes["c4"].value == pytest.approx(0.101 / 0.080), "compared with all commits since the last change"
    assert changes["c6"].low < 0.0805 / 0.120 < changes["c6"].high


def test_overlapping_intervals_are_not_a_change(tmp_path):
    commit(tmp_path, 1, [0.10, 0.11, 0.12, 0.13, 0.14])
    commit(tmp_path, 2, [0.13, 0.14, 0.15, 0.16, 0.17])
    (course,) = history([tmp_path]).courses
    assert [point.change for point in course.points] == [None, None]


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
