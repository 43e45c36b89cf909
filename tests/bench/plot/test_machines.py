"""Machines side by side: their order, one line for each, and the label of the fastest trainer."""

import pytest

from bench import records
from bench.analysis.timings import timings
from bench.plot import machines
from tests.support.figures import hollow_points, notes
from tests.support.rows import written


@pytest.fixture
def axis(tmp_path):
    """Return a function that draws runs, each given by its times and columns, and returns the only panel."""

    def draw(*runs):
        paths = [
            written(tmp_path / f"{i}.csv", {("nielsen", name): time for name, time in times.items()}, run_id=f"r{i}", **columns)
            for i, (times, columns) in enumerate(runs)
        ]
        times = timings(records.read(paths))
        (panel,) = machines.draw(times, times.jobs).axes
        return panel

    return draw


def names(axis):
    """Return the names of the machines, the uppermost first."""
    return [label.get_text() for label in axis.get_yticklabels()]


def test_the_fastest_machine_is_the_uppermost(axis):
    drawn = axis(
        ({"loop": 3.0}, {"machine": "slow"}), ({"loop": 9.0, "gpu": 0.1}, {"machine": "fast"}), ({"loop": 2.0}, {"machine": "mid"})
    )
    assert names(drawn) == ["fast", "mid", "slow"]
    assert notes(drawn) == ["gpu 100 ms", "loop 2.00 s", "loop 3.00 s"]


def test_a_machine_has_one_line_with_the_best_configuration_of_each_trainer(axis):
    drawn = axis(
        ({"loop": 1.0, "matrix": 0.8}, {"machine": "a", "threads": 1}), ({"loop": 1.2, "matrix": 0.2}, {"machine": "a", "threads": 4})
    )
    assert names(drawn) == ["a"]
    assert notes(drawn) == ["matrix 200 ms, 4 threads"]
    assert sorted(x for bar in drawn.containers for x in bar.lines[0].get_xdata()) == [0.2, 1.0]


def test_a_disturbed_trainer_is_hollow_and_never_the_fastest(axis):
    drawn = axis(({"loop": 1.0}, {"machine": "a"}), ({"matrix": 0.1}, {"machine": "a", "load": 0.5}), ({"loop": 0.5}, {"machine": "b"}))
    assert names(drawn) == ["b", "a"]
    assert notes(drawn) == ["loop 500 ms", "loop 1.00 s"]
    assert hollow_points(drawn) == [(0.1, 1.0)]


def test_an_undisturbed_configuration_is_preferred_to_a_faster_one(axis):
    drawn = axis(({"loop": 1.0}, {"machine": "a", "threads": 1}), ({"loop": 0.5}, {"machine": "a", "threads": 4, "load": 0.5}))
    assert notes(drawn) == ["loop 1.00 s, 1 thread"]
    assert hollow_points(drawn) == []


def test_a_machine_with_only_disturbed_epochs_says_so(axis):
    drawn = axis(({"loop": 1.0}, {"machine": "a"}), ({"loop": 0.1}, {"machine": "b", "load": 0.5}))
    assert names(drawn) == ["a", "b"]
    assert notes(drawn) == ["loop 1.00 s", "(disturbed)"]


def test_of_runs_that_disagree_the_newest_is_drawn(axis):
    drawn = axis(({"loop": 1.0}, {"machine": "a"}), ({"loop": 2.0}, {"machine": "a"}))
    assert names(drawn) == ["a"]
    assert [x for bar in drawn.containers for x in bar.lines[0].get_xdata()] == [2.0]
