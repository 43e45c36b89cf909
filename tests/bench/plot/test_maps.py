"""Maps: by how much the fastest trainer wins, ties, disturbed cells, and panels without a comparison."""

import pytest

from bench import records
from bench.analysis.timings import timings
from bench.plot import maps
from tests.support.figures import notes
from tests.support.rows import written

CELLS = [f"h{width}-b{size}" for width in (30, 100) for size in (10, 100)]


@pytest.fixture
def drawn(tmp_path):
    """Return a function that draws runs, each given by its times and columns, and returns the figure."""

    def draw(*runs, between=None):
        paths = [written(tmp_path / f"{i}.csv", times, run_id=f"r{i}", **columns) for i, (times, columns) in enumerate(runs)]
        return maps.draw(maps.of(timings(records.read(paths))), between)

    return draw


def every(**seconds):
    """Return the same seconds in each cell."""
    return {(cell, name): time for cell in CELLS for name, time in seconds.items()}


def test_a_cell_says_by_how_much_the_fastest_wins(drawn):
    times = every(loop=1.0, matrix=0.5) | {("h30-b10", "matrix"): 0.999}
    fastest, speedup = drawn((times, {})).axes
    assert sorted(notes(fastest)) == ["matrix\n2.00x"] * 3 + ["matrix\ntied"]
    assert sorted(notes(speedup)) == ["1.00x"] + ["2.00x"] * 3


def test_the_title_names_only_the_lines_that_are_drawn(drawn):
    _, speedup = drawn((every(loop=1.0, matrix=0.5) | {("h30-b10", "matrix"): 2.0}, {})).axes
    assert speedup.get_title() == "matrix over loop; solid line: 1x"
    _, speedup = drawn((every(loop=1.0, matrix=0.5), {})).axes
    assert speedup.get_title() == "matrix over loop"


def test_a_disturbed_trainer_wins_no_cell(drawn):
    calm = every(loop=1.0, matrix=0.5)
    noisy = {("h30-b10", "gpu"): 0.1, ("h30-b10", "compiled"): 0.2}
    fastest, _ = drawn((calm, {}), (noisy, {"load": 0.5})).axes
    assert sorted(notes(fastest)) == [*["matrix\n2.00x"] * 3, "matrix *"], "the speedup over the second is unknown"
    assert "*: a disturbed trainer, perhaps a fast one, is left out" in fastest.get_title()


def test_a_cell_with_only_disturbed_cases_is_white_and_says_so(drawn):
    times = every(loop=1.0, matrix=0.5)
    noisy = {case: time for case, time in times.items() if case[0] == "h30-b10"}
    fastest, speedup = drawn(({case: time for case, time in times.items() if case not in noisy}, {}), (noisy, {"load": 0.5})).axes
    assert notes(fastest).count("disturbed") == notes(speedup).count("disturbed") == 1
    assert [patch.get_facecolor() for patch in fastest.patches].count((1, 1, 1, 1)) == 1


def test_nothing_to_compare_leaves_no_empty_panel(drawn):
    figure = drawn((every(loop=1.0, matrix=0.5), {}), (every(loop=1.0, gpu=0.2), {"machine": "b"}), between=("loop", "matrix"))
    assert len(figure.axes) == 3
    figure = drawn((every(loop=1.0, gpu=0.5), {}), between=("loop", "matrix"))
    assert len(figure.axes) == 1
    assert figure.get_suptitle() == "Fastest trainer"
