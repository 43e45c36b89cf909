"""Throughput: which crossings are circled, which points are hollow, and the size of the figure."""

import numpy as np
import pytest

from bench.plot import style
from tests.support.figures import figures, hollow_points, notes
from tests.support.rows import written

CROSSING = {("h30-b10", "loop"): 1.0, ("h30-b10", "matrix"): 1.4, ("h30-b100", "loop"): 1.4, ("h30-b100", "matrix"): 1.0}


@pytest.mark.parametrize(("spread", "circled"), [(0.01, True), (0.5, False)])
def test_a_crossing_is_circled_if_the_intervals_beside_it_are_disjoint(tmp_path, spread, circled):
    noise = 1 + spread * np.linspace(-1, 1, 9)
    times = {case: list(median * noise) for case, median in CROSSING.items()}
    (by_size,) = figures(written(tmp_path / "a.csv", times))["throughput-by-batch-size"]
    (axis,) = by_size.axes
    assert ("1" in notes(axis)) == ("1: matrix overtakes loop near" in axis.get_xlabel()) == circled


def test_a_disturbed_point_is_hollow_and_takes_part_in_no_circled_crossing(tmp_path):
    disturbed = ("h30-b100", "matrix")
    calm = written(tmp_path / "a.csv", {case: time for case, time in CROSSING.items() if case != disturbed}, run_id="a")
    noisy = written(tmp_path / "b.csv", {disturbed: 1.0}, run_id="b", load=0.5)
    (figure,) = figures(calm, noisy)["throughput-by-batch-size"]
    (axis,) = figure.axes
    assert hollow_points(axis) == [pytest.approx((100, 50_000))]
    assert notes(axis) == []
    assert "hollow: disturbed" in [text.get_text() for text in figure.legends[0].texts]


def test_with_many_trainers_only_the_fastest_is_circled(tmp_path):
    names = [f"trainer{i}" for i in range(8)]
    times = {("h30-b10", name): 1.0 + i for i, name in enumerate(names)} | {("h30-b100", name): 8.0 - i for i, name in enumerate(names)}
    (figure,) = figures(written(tmp_path / "a.csv", times))["throughput-by-batch-size"]
    (axis,) = figure.axes
    listed = axis.get_xlabel().split("\n")[1:]
    assert 0 < len(notes(axis)) == len(listed) < 9, "28 pairs cross"
    assert all("overtakes" in line and "near" in line for line in listed)


def test_the_picture_is_as_wide_as_a_page_with_any_number_of_widths(tmp_path):
    times = {(f"h{width}-b{size}", "loop"): 1.0 for width in range(10, 100, 10) for size in (10, 100)}
    drawn = [("many", figure) for figure in figures(written(tmp_path / "a.csv", times))["throughput-by-batch-size"]]
    png, _ = style.save(drawn, tmp_path)
    width = int.from_bytes(png.read_bytes()[16:20], "big")  # in the header of the PNG
    assert 1200 < width <= 1600
