"""The data of the page: sentences, names of jobs, shapes, scaling and history."""

import pytest

from bench import records
from bench.plot.palette import STYLES, marker
from bench.plot.shapes import svg_path
from bench.report.figures import figures
from tests.support.rows import written


def of(directory):
    return figures(records.read(records.files([directory])))


def test_the_page_says_when_and_with_what_its_rows_were_measured(tmp_path):
    for day, library in ((1, "numpy 2.4.6"), (3, "torch 2.9.0")):
        written(tmp_path / f"{day}.csv", {("nielsen", "matrix"): 0.1}, run_id=f"r{day}", commit=f"abc{day}", library=library,
                started_at=f"2026-01-0{day}T00:00:00+00:00")  # fmt: skip
    data = of(tmp_path)
    assert data["scope"] == "1 trainer on 1 machine"
    for fact in ("2026-01-01 to 2026-01-03", "abc1 and abc3", "NumPy 2.4.6", "PyTorch 2.9.0"):
        assert fact in data["source"]


def test_there_is_an_answer_for_each_choice(tmp_path):
    for machine, times in (("one", {"loop": 1.0, "matrix": 0.1}), ("two", {"loop": 0.5, "matrix": 0.05})):
        jobs = ("nielsen", "wide") if machine == "one" else ("nielsen",)
        written(tmp_path / f"{machine}.csv", {(job, name): s for job in jobs for name, s in times.items()}, machine=machine, run_id=machine)
    data = of(tmp_path)
    assert set(data["answers"]) == {"/", "0/", "1/", "/0", "0/0", "1/0", "/1", "0/1"}, "machine two did not run wide"
    assert all(text[0] for text in data["answers"].values())
    assert "two" in data["answers"]["0/"][0]
    assert "two" not in data["answers"]["0/0"][0]


def test_jobs_that_differ_only_in_examples_have_different_names(tmp_path):
    for number, examples in enumerate((1000, 2000)):
        written(tmp_path / f"{number}.csv", {("nielsen", "matrix"): 0.1, ("wide", "matrix"): 0.1}, run_id=f"r{number}", examples=examples)
    jobs = of(tmp_path)["jobs"]
    assert len({job["title"] for job in jobs}) == 4
    assert {job["short"] for job in jobs} == {f"{name}, {n} examples" for name in ("nielsen", "wide") for n in ("1,000", "2,000")}


def test_each_trainer_has_its_own_shape():
    shapes = {svg_path(marker(trainer)) for trainer in STYLES}
    assert len(shapes) == len(STYLES)
    assert all(shape.startswith("M") and shape.endswith("Z") for shape in shapes)


def test_scaling_is_relative_to_one_rank_of_the_same_run(tmp_path):
    for ranks, seconds in ((1, 1.0), (2, 0.6), (4, 0.4)):
        written(tmp_path / f"{ranks}.csv", {("nielsen", "mpi"): seconds}, run_id="scale", ranks=ranks, load=0.4 if ranks == 4 else 0.0)
    written(tmp_path / "grown.csv", {("nielsen", "mpi"): 1.25}, run_id="scale", ranks=2, workload="nielsen-x2", batch_size=20)
    strong, weak = of(tmp_path)["scaling"]
    assert [strong["kind"], weak["kind"]] == ["strong", "weak"]
    assert [point["ranks"] for point in strong["points"]] == [1, 2, 4]
    assert [point["speedup"][0] for point in strong["points"]] == pytest.approx([1, 1 / 0.6, 2.5], rel=1e-4)
    assert [point["disturbed"] for point in strong["points"]] == [False, False, True]
    assert [point["speedup"][0] for point in weak["points"]] == pytest.approx([1, 0.8])


def test_history_is_relative_to_the_first_undisturbed_commit(tmp_path):
    for number, (seconds, load) in enumerate(((0.3, 0.4), (0.2, 0.0), (0.1, 0.0))):
        written(tmp_path / f"{number}.csv", {("nielsen", "matrix"): seconds}, run_id=f"r{number}", commit=f"abc{number}", load=load,
                started_at=f"2026-01-0{number + 1}T00:00:00+00:00")  # fmt: skip
    (course,) = of(tmp_path)["history"]
    assert [point["over_first"][0] for point in course["points"]] == pytest.approx([2 / 3, 1, 2], rel=1e-4)
    assert [point["disturbed"] for point in course["points"]] == [True, False, False]
