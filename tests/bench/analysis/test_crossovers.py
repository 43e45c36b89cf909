"""Where one trainer overtakes another: the interval of the crossing, and when there is none."""

import numpy as np
import pytest

from bench.analysis.compare import compare
from bench.analysis.crossovers import overtaking
from bench.stats.intervals import Interval, Sample
from tests.support.rows import written

# An epoch takes 1/b on the GPU and 1/100 on the CPU at every batch size b, so the times are equal at 100.
GRID = {(f"h{w}-b{b}", name): t for w in (30, 100) for b in (1, 10, 1000) for name, t in (("matrix", 0.01), ("gpu", 1 / b))}
BEHIND, LEVEL, AHEAD = Interval(0.5, 0.4, 0.6), Interval(1.1, 0.9, 1.3), Interval(2.0, 1.6, 2.5)


@pytest.mark.parametrize(
    ("lead", "crossing"),
    [
        ([BEHIND, AHEAD, AHEAD], (10**0.5, 1, 10)),
        ([BEHIND, BEHIND, AHEAD], (10**1.5, 10, 100)),
        ([BEHIND, LEVEL, AHEAD], (10**0.879, 1, 100)),  # interpolated up to the first point estimate above 1
        ([AHEAD, BEHIND, AHEAD], (10**1.5, 10, 100)),  # ahead, behind, then ahead to the end
        ([BEHIND, AHEAD, LEVEL], (10**0.5, 1, 10)),
        ([AHEAD, AHEAD, AHEAD], None),
        ([LEVEL, LEVEL, AHEAD], None),  # perhaps ahead from the start
        ([BEHIND, LEVEL, LEVEL], None),  # perhaps never ahead
        ([BEHIND, AHEAD, BEHIND], None),
        ([BEHIND, AHEAD, Interval(0.97, 0.9, 1.05)], None),  # perhaps overtaken again
    ],
)
def test_a_crossing_lies_between_sizes_at_which_the_faster_trainer_is_certain(lead, crossing):
    at = overtaking(dict(zip([1, 10, 100], lead, strict=True)))
    assert at == (crossing and pytest.approx(crossing, rel=1e-3))


def test_crossings_contain_the_true_one_and_equal_trainers_have_none():
    """Epochs of a/m + b and c/m + d seconds at mini-batches of m; 1 % noise, and 2.5 % from case to case."""
    rng = np.random.default_rng(0)
    sizes = (1, 10, 100, 1000, 10_000)

    def leads(seconds, others):
        def epochs(typical):
            return Sample([typical * np.exp(0.025 * rng.standard_normal() + 0.01 * rng.standard_normal(8))])

        return {m: epochs(seconds(m)).over(epochs(others(m))) for m in sizes}

    known = []
    for b in np.logspace(-3.5, -0.5, 60):
        at = overtaking(leads(lambda m, b=b: 1 / m + b, lambda m, b=b: 10 / m + b / 20))
        known += [at.low <= 9 / (b - b / 20) <= at.high] if at else []
    assert len(known) > 40
    assert np.mean(known) >= 0.9
    equal = [overtaking(leads(lambda m: 1 / m + 0.01, lambda m: 1 / m + 0.01)) for _ in range(200)]
    assert sum(at is not None for at in equal) <= 0.05 * 200


def test_the_crossing_is_where_the_times_are_equal(tmp_path):
    answer = compare([written(tmp_path / "exact.csv", GRID)], baseline=None)
    crossings = [crossing for crossing in answer.crossings if crossing.axis == "batch_size"]
    assert [(c.fixed, c.behind, c.ahead, c.wins) for c in crossings] == [(30, "matrix", "gpu", True), (100, "matrix", "gpu", True)]
    assert crossings[0].at == pytest.approx((100, 10, 1000))
    assert "gpu overtakes matrix near 100 (10 to 1,000)" in answer.text()


def test_disturbed_cases_take_no_part_in_crossings(tmp_path):
    quiet, busy = (
        {case: seconds for case, seconds in GRID.items() if (case == ("h30-b1000", "gpu")) == loaded} for loaded in (False, True)
    )
    written(tmp_path / "a.csv", quiet, run_id="r")
    written(tmp_path / "b.csv", busy, run_id="r", load=0.5)
    answer = compare([tmp_path], baseline=None)
    assert {crossing.fixed for crossing in answer.crossings if crossing.axis == "batch_size"} == {100}


def test_a_crossing_at_the_end_of_the_grid_needs_a_certain_lead_there(tmp_path):
    times = GRID | {(f"h{w}-b1000", "gpu"): [0.009, 0.0098, 0.012] for w in (30, 100)}
    assert "overtakes" not in compare([written(tmp_path / "a.csv", times)], baseline=None).text()
