"""Energy of an epoch, from counters that a test advances."""

import math

import pytest

from bench.machine import energy_meter
from bench.machine.energy import Counter, Counters
from bench.machine.energy_meter import Joules, Meter
from bench.stats.intervals import RUN_SPREAD
from tests.support.clock import clock


def rounds(monkeypatch, watts, *, number=8, step=0.0, seconds=2, **counter):
    """Return the energy of rounds of some seconds, with seven seconds between them."""
    sleep, now = clock(monkeypatch, energy_meter)
    meter = Meter(Counters([Counter("NVML", lambda: watts(now[0]), **counter)], idle_watts=12.0, step=step))
    for _ in range(number):
        sleep(7)
        meter.begin()
        sleep(seconds)
        meter.end()
    return meter.result()


def test_only_the_rounds_count_and_the_interval_includes_the_steps_of_the_counter(monkeypatch):
    used = rounds(monkeypatch, lambda now: 50 * now, step=0.5)
    assert (used.joules, used.watts) == pytest.approx((100, 50))
    half = 1.96 * math.hypot(50 * 0.5 * math.sqrt(2 / 8), RUN_SPREAD * 100)  # two readings a round, each up to a step old
    assert (used.joules_low, used.joules_high) == pytest.approx((100 - half, 100 + half), rel=1e-3)
    assert (used.idle_watts, used.energy_counters) == (12, "NVML")


def test_a_single_round_has_an_unknown_upper_end(monkeypatch):
    assert rounds(monkeypatch, lambda now: 50 * now, number=1)[:3] == (pytest.approx(100), 0, None)


def test_energy_that_a_counter_may_have_lost_is_not_recorded(monkeypatch):
    assert rounds(monkeypatch, lambda now: 50 * now, span=65532.0).joules == pytest.approx(100)
    assert rounds(monkeypatch, lambda now: 300 * now % 65532, span=65532.0, seconds=300) == Joules(), "it may pass its range twice"
    assert rounds(monkeypatch, lambda now: 50 * now % 300) == Joules(), "it falls, and its range is unknown"


def test_a_counter_that_cannot_be_read_any_more_loses_the_energy_and_not_the_case(tmp_path):
    file = tmp_path / "joules"
    file.write_text("1000")
    meter = Meter(Counters([Counter("RAPL package-0", lambda: float(file.read_text()))], idle_watts=3.0, step=0.0))
    meter.begin()
    file.unlink()
    meter.end()
    assert meter.result() == Joules()
    file.write_text("2000")
    meter.begin()
    meter.end()
    assert meter.result() == Joules(), "what it counted in between is lost"
