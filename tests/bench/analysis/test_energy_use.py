"""Epochs per joule and watts in tables."""

import math

import pytest

from bench import records
from bench.analysis.energy_use import columns, energy_use
from bench.machine.energy import Counter, Counters
from bench.measure.conditions import ConditionsMeter
from impls.matrix import Matrix
from tests.support.rows import ROW, written


def used(path, **energy):
    row = records.read([written(path / "a.csv", {("nielsen", "matrix"): [0.1] * 5}, **energy)]).iloc[0].to_dict()
    return energy_use(row)


def test_epochs_per_joule_have_the_interval_of_the_joules(tmp_path):
    one = used(tmp_path, joules=12.5, joules_low=10.0, joules_high=25.0, watts=125.0, idle_watts=20.0)
    assert one.per_joule == pytest.approx((0.08, 0.04, 0.1))
    assert (one.watts, one.idle_watts) == pytest.approx((125, 20))
    assert one.cells() == ("0.0800 (0.0400-0.100)", "125 (20.0)")


def test_an_end_beyond_what_the_counter_resolves_is_unknown(tmp_path):
    one = used(tmp_path, joules=0.1, joules_low=0.0, joules_high=None, watts=1.0, idle_watts=None)
    assert one.per_joule == (pytest.approx(10), 0, math.inf)
    assert one.cells() == ("10.0 (0.00-?)", "1.00 (?)")


def test_a_table_without_an_energy_has_no_columns_of_it(tmp_path):
    none = used(tmp_path, joules=None, joules_low=None, joules_high=None, idle_watts=None, energy_counters="")
    one = used(tmp_path, joules=12.5, joules_low=10.0, joules_high=25.0, idle_watts=20.0)
    assert columns([none, none]) == ((), [(), ()])
    headings, cells = columns([none, one])
    assert len(headings) == 2
    assert cells == [("-", "-"), one.cells()]


def test_the_conditions_of_a_case_are_columns_of_its_rows():
    joules = iter(range(100))
    meter = ConditionsMeter(Matrix, Counters([Counter("RAPL package-0", lambda: float(next(joules)))], idle_watts=3.0, steps=[0.0]))
    meter.begin_epochs()
    meter.begin_rounds()
    for _ in range(5):
        meter.begin_round()
        meter.end_round()
    found = meter.result().columns()
    assert found.keys() <= set(records.COLUMNS)
    assert all(hasattr(ROW, name) for name in found)
    assert (found["joules"], found["joules_low"], found["joules_high"]) == pytest.approx((1, 0.951, 1.049), abs=1e-3)
    assert (found["idle_watts"], found["energy_counters"]) == (3, "RAPL package-0")
