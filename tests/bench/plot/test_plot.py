"""Charts of one or several runs: which rows share a chart, and which rows are one sample."""

import numpy as np
import pytest

from tests.support.figures import figures
from tests.support.rows import ROW, written

GRID = [(f"h{width}-b{size}", "matrix") for width in (30, 100) for size in (10, 100)]
FEW, ALL = 1000, 50_000


def points(axis, trainer="matrix"):
    """Return the points that are drawn for a trainer, (points, 2)."""
    handles, labels = axis.get_legend_handles_labels()
    mark = handles[labels.index(trainer)]
    return np.column_stack(getattr(mark, "lines", [mark])[0].get_data()).astype(float)


def texts(figure):
    """Return the texts of a figure."""
    return [figure.get_suptitle(), *(text.get_text() for axis in figure.axes for text in (axis.title, *axis.texts))]


@pytest.fixture
def amounts(tmp_path):
    """A workload, a grid and a training: with few examples at ten million per second, and with all at one million per second."""
    paths = []
    for examples, rate in ((FEW, 1e7), (ALL, 1e6)):
        columns = {"examples": examples, "flops": ROW.flops * examples // ALL, "run_id": f"r{examples}"}
        times = dict.fromkeys([*GRID, ("nielsen", "matrix"), ("nielsen", "loop")], [examples / rate] * 5)
        paths.append(written(tmp_path / f"{examples}.csv", times, **columns))
        paths.append(written(tmp_path / f"book-{examples}.csv", {("nielsen", "matrix"): [1.0] * 2}, kind="training", **columns))
    return paths


def test_rows_with_different_examples_are_separate_points(amounts):
    drawn = figures(*amounts)
    (by_size,) = drawn["throughput-by-batch-size"]
    for axis in by_size.axes:
        assert points(axis) == pytest.approx(np.array([[10, 1e6], [100, 1e6]])), "the job with the most examples, by its own seconds"
    (times,) = drawn["epoch-time"]
    assert [axis.get_title() for axis in times.axes] == [f"nielsen: 784-30-10, batch 10, {n:,} examples" for n in (FEW, ALL)]
    (roofline,) = drawn["roofline"]
    rates = ROW.flops / ALL * np.array([1e7, 1e6]) / 1e9
    assert points(roofline.axes[0])[:, 1] == pytest.approx(rates)
    assert len(drawn["learning-nielsen"]) == 2


def test_runs_of_one_machine_are_one_sample_of_runs(tmp_path):
    rounds = {"a": [0.100] * 5, "b": [0.104] * 15}
    drawn = figures(*(written(tmp_path / f"{run}.csv", {("nielsen", "matrix"): each}, run_id=run) for run, each in rounds.items()))
    (times,) = drawn["epoch-time"]
    assert "102 ms" in texts(times), "the median of the runs, not of the rounds"


def test_runs_that_disagree_have_separate_charts(tmp_path):
    paths = [written(tmp_path / f"{run}.csv", {("nielsen", "matrix"): time}, run_id=run) for run, time in (("a", 0.1), ("b", 0.2))]
    first, second = figures(*paths)["epoch-time"]
    assert {"100 ms"} < set(texts(first))
    assert {"200 ms"} < set(texts(second))
    assert ["run a" in texts(first)[0], "run b" in texts(second)[0]] == [True, True]


def test_strong_and_weak_scaling_compare_with_their_own_job(tmp_path):
    weak = {"workload": "nielsen-x2", "batch_size": 20}
    cells = [(FEW, 1, {}, 0.1), (FEW, 2, {}, 0.05), (ALL, 1, {}, 8.0), (ALL, 2, {}, 5.0), (ALL, 2, weak, 4.0)]
    paths = [
        written(tmp_path / f"{i}.csv", {("nielsen", "mpi"): [seconds] * 5}, examples=examples, ranks=ranks, **columns)
        for i, (examples, ranks, columns, seconds) in enumerate(cells)
    ]
    (scaling,) = figures(*paths)["scaling"]
    lines = {axis.get_title(): [mark.lines[0] for mark in axis.get_legend_handles_labels()[0]] for axis in scaling.axes[::2]}
    title = "nielsen: 784-30-10, batch 10, {:,} examples"
    assert list(lines) == [title.format(FEW), title.format(ALL)]
    assert [(line.get_linestyle(), line.get_ydata()[1]) for line in lines[title.format(FEW)]] == [("-", pytest.approx(2.0))]
    strong_and_weak = [(line.get_linestyle(), line.get_ydata()[1]) for line in lines[title.format(ALL)]]
    assert strong_and_weak == [("-", pytest.approx(1.6)), ("--", pytest.approx(2.0))]


def test_a_workload_name_may_contain_a_parenthesis(tmp_path):
    paths = [written(tmp_path / f"{ranks}.csv", {("nielsen", "mpi"): 0.1 / ranks}, workload="nielsen(", ranks=ranks) for ranks in (1, 2)]
    (scaling,) = figures(*paths)["scaling"]
    assert scaling.axes[0].get_title().startswith("nielsen(: ")


def test_the_charts_name_software_that_plays_a_gpu(tmp_path):
    software = {"accelerator": "llvmpipe", "accelerator_kind": "software", "accelerator_backend": "Vulkan"}
    one = written(tmp_path / "a.csv", {("nielsen", "loop"): 1.0}, run_id="r")
    other = written(tmp_path / "b.csv", {("nielsen", "webgpu"): 2.0}, run_id="r", **software)
    drawn = figures(one, other)
    for name in ("speedup", "epoch-time"):
        (figure,) = drawn[name]
        assert "· webgpu: software ·" in figure.get_suptitle()
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["loop", "webgpu (software)"]


def test_the_roofline_has_a_panel_for_each_accelerator(tmp_path):
    written(tmp_path / "a.csv", {("nielsen", "gpu"): 0.1}, run_id="r", accelerator="NVIDIA H200", accelerator_backend="CUDA", device="gpu")
    written(
        tmp_path / "b.csv", {("nielsen", "webgpu"): 0.2}, run_id="r", accelerator="NVIDIA H200", accelerator_backend="Vulkan", device="gpu"
    )
    (figure,) = figures(tmp_path / "a.csv", tmp_path / "b.csv")["roofline"]
    assert [axis.get_title() for axis in figure.axes] == ["GPU: NVIDIA H200, CUDA", "GPU: NVIDIA H200, Vulkan"]
