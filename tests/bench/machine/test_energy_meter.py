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
    meter = Meter(Counters([Counter("NVML", lambda: watts(now[0]), **counter)], idle_watts=12.0, steps=[step]))
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
    meter = Meter(Counters([Counter("RAPL package-0", lambda: float(file.read_text()))], idle_watts=3.0, steps=[0.0]))
    meter.begin()
    file.unlink()
    meter.end()
    assert meter.result() == Joules()
    file.write_text("2000")
    meter.begin()
    meter.end()
    assert meter.result() == Joules(), "what it counted in between is lost"


def coarse(now, watts, step=0.1):
    """Return the counters of a device that uses `watts(seconds)` joules in `seconds`, with a counter that shows it every 0.1 s."""
    return Counters([Counter("NVML", lambda: watts(math.floor(now[0] / step) * step))], idle_watts=12.0, steps=[step])


@pytest.mark.parametrize("seconds", [0.0003, 0.004, 0.0371, 0.25])
def test_an_epoch_shorter_than_a_step_of_the_counter_is_repeated_from_step_to_step(monkeypatch, seconds):
    sleep, now = clock(monkeypatch, energy_meter)
    now[0] = 3.21
    counters = coarse(now, lambda passed: 300 * passed)
    used = energy_meter.of_stretches(counters, lambda: sleep(seconds))
    assert used.joules == pytest.approx(300 * seconds, rel=0.05)
    assert used.watts == pytest.approx(300, rel=0.05)
    assert used.joules_low < 300 * seconds < used.joules_high < 1.3 * used.joules
    assert now[0] - 3.21 == pytest.approx(energy_meter.expected_seconds(counters), rel=0.3, abs=8 * 2 * seconds)


def test_a_counter_that_stops_ends_the_stretches(monkeypatch):
    sleep, now = clock(monkeypatch, energy_meter)
    assert energy_meter.of_stretches(coarse(now, lambda passed: min(300 * passed, 99)), lambda: sleep(0.004)) == Joules()


@pytest.mark.parametrize(("seconds", "short"), [(0.004, True), (0.39, True), (0.41, False)])
def test_rounds_are_too_short_if_the_steps_of_a_counter_are_most_of_them(monkeypatch, seconds, short):
    sleep, now = clock(monkeypatch, energy_meter)
    meter = Meter(coarse(now, lambda passed: 300 * passed))
    for _ in range(5):
        meter.begin()
        sleep(seconds)
        meter.end()
    assert meter.too_short is short
