"""Bars of speedups and points of epoch times: the baseline, the ticks, and disturbed cases."""

from matplotlib.colors import to_hex

from tests.support.figures import figures, hollow_points, notes
from tests.support.rows import written

TIMES = {("nielsen", "loop"): 1.0, ("nielsen", "matrix"): 0.1, ("wide", "loop"): 2.0, ("wide", "matrix"): 0.2}


def test_every_panel_has_numbers_and_a_named_line_at_the_loop(tmp_path):
    (figure,) = figures(written(tmp_path / "a.csv", TIMES))["speedup"]
    assert len(figure.axes) == 2
    for axis in figure.axes:
        assert "1x = loop" in notes(axis)
        assert [1, 1] in [list(line.get_xdata()) for line in axis.lines]
        assert all(tick.label1.get_visible() for tick in axis.xaxis.get_major_ticks())


def test_a_disturbed_case_is_hollow_and_says_so(tmp_path):
    calm = written(tmp_path / "a.csv", TIMES, run_id="a")
    noisy = written(tmp_path / "b.csv", {("nielsen", "compiled"): 0.05}, run_id="b", load=0.5)
    drawn = figures(calm, noisy)
    (speedup,), (time,) = drawn["speedup"], drawn["epoch-time"]
    assert [note for note in notes(speedup.axes[0]) if "disturbed" in note] == ["20.0x (disturbed)"]
    faces = [to_hex(bar.get_facecolor()) for bar in speedup.axes[0].patches]
    assert [face == "#ffffff" for face in faces] == [False, True]
    assert [note for note in notes(time.axes[0]) if "disturbed" in note] == ["50.0 ms (disturbed)"]
    assert [x for x, _ in hollow_points(time.axes[0])] == [0.05]
    assert hollow_points(time.axes[1]) == []


def test_over_a_disturbed_loop_every_speedup_is_disturbed(tmp_path):
    calm = written(tmp_path / "a.csv", {("nielsen", "matrix"): 0.1, ("wide", "loop"): 2.0, ("wide", "matrix"): 0.2}, run_id="a")
    noisy = written(tmp_path / "b.csv", {("nielsen", "loop"): 1.0}, run_id="a", load=0.5)
    (speedup,) = figures(calm, noisy)["speedup"]
    assert [note for note in notes(speedup.axes[0]) if "disturbed" not in note] == []
    assert [note for note in notes(speedup.axes[1]) if "disturbed" in note] == []
