"""Energy from RAPL, in trees as Linux shows them, and from a stand-in for NVML."""

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from bench.machine import energy, gpu
from bench.machine.energy import Counter, Counters, Meter
from bench.stats.intervals import RUN_SPREAD


def zone(powercap, name, joules, *, directory, span=262143.328850):
    path = powercap / directory
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{joules * 1e6:.0f}\n")
    (path / "max_energy_range_uj").write_text(f"{span * 1e6:.0f}\n")
    return path / "energy_uj"


@pytest.fixture
def powercap(tmp_path):
    """Two packages with a core and a memory zone, and the platform zone of a laptop, which includes the packages."""
    (tmp_path / "intel-rapl").mkdir()
    zone(tmp_path, "package-0", 1000, directory="intel-rapl:0")
    zone(tmp_path, "core", 600, directory="intel-rapl:0:0")
    zone(tmp_path, "dram", 100, directory="intel-rapl:0:1")
    zone(tmp_path, "package-1", 2000, directory="intel-rapl:1")
    zone(tmp_path, "psys", 5000, directory="intel-rapl:2")
    zone(tmp_path, "package-0", 1000, directory="intel-rapl-mmio:0")
    return tmp_path


def test_all_packages_count_once(powercap):
    counters, reason = energy.find("cpu", powercap)
    assert [counter.name for counter in counters] == ["RAPL package-0", "RAPL package-1"]
    assert [counter.joules() for counter in counters] == [1000, 2000]
    assert reason == ""


def test_a_counter_that_returns_to_zero_goes_on(tmp_path):
    file = zone(tmp_path, "package-0", 262143, directory="intel-rapl:0")
    (counter,), _ = energy.find("cpu", tmp_path)
    before = counter.joules()
    for now, passed in ((10, 10.328850), (200_000, 200_000.328850), (5, 262143.328850 + 5.328850)):
        file.write_text(f"{now * 1e6:.0f}\n")
        assert counter.joules() - before == pytest.approx(passed)


def test_a_counter_that_cannot_be_read_any_more_loses_the_energy_and_not_the_case(tmp_path):
    file = zone(tmp_path, "package-0", 1000, directory="intel-rapl:0")
    (counter,), _ = energy.find("cpu", tmp_path)
    meter = Meter(Counters([counter], idle_watts=3.0, step=0.0))
    meter.begin()
    file.unlink()
    meter.end()
    assert meter.result() == energy.Joules()
    file.write_text("2000000000")
    meter.begin()
    meter.end()
    assert meter.result() == energy.Joules(), "what it counted in between is lost"


def test_a_machine_without_counters_says_so(tmp_path):
    assert energy.find("cpu", tmp_path / "none") == ([], f"{tmp_path / 'none'} shows no RAPL counter")


def test_counters_that_only_root_may_read_name_the_command_that_allows_it(powercap, monkeypatch):
    read = Path.read_text

    def denied(path, *arguments, **options):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied")
        return read(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", denied)
    counters, reason = energy.find("cpu", powercap)
    assert counters == []
    assert "Permission denied" in reason
    assert f"chmod a+r {powercap}/intel-rapl:*/energy_uj" in reason


def test_a_counter_without_a_number_is_no_counter(powercap):
    (powercap / "intel-rapl:1" / "energy_uj").write_text("")
    counters, reason = energy.find("cpu", powercap)
    assert counters == []
    assert str(powercap / "intel-rapl:0") in reason


class Nvml(ModuleType):
    """A stand-in for pynvml, with a counter that rises by 250 mJ from one reading to the next, or none."""

    class NVMLError(Exception):
        pass

    def __init__(self, *, counts=True):
        super().__init__("pynvml")
        self.counts, self.millijoules = counts, 10_000

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByPciBusId(self, bus):
        return bus

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        assert handle == "0000:65:00.0"
        if not self.counts:
            raise self.NVMLError("Not Supported")
        self.millijoules += 250
        return self.millijoules


@pytest.mark.parametrize("counts", [True, False])
def test_a_gpus_epoch_counts_the_gpu_and_the_processors(powercap, monkeypatch, counts):
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(counts=counts))
    monkeypatch.setattr(gpu, "_bus_of_device_0", lambda: "0000:65:00.0")
    counters, reason = energy.find("gpu", powercap)
    if counts:
        assert [counter.name for counter in counters] == ["RAPL package-0", "RAPL package-1", "NVML"]
        assert reason == ""
        assert counters[-1].joules() == pytest.approx(10.5)
    else:
        assert (counters, "NVML" in reason) == ([], True)


def clock(monkeypatch):
    """Replace the clock of the module by one that only `sleep` advances."""
    now = [0.0]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr(energy, "time", SimpleNamespace(perf_counter=lambda: now[0], sleep=sleep))
    return sleep, now


def test_the_power_at_idle_and_the_steps_of_a_counter_are_measured(monkeypatch):
    _, now = clock(monkeypatch)
    counters = energy.measured([Counter("RAPL package-0", lambda: 30 * math.floor(now[0] / 0.1 + 1e-6) * 0.1)])
    assert counters.idle_watts == pytest.approx(30, rel=0.02)
    assert counters.step == pytest.approx(0.1, rel=0.05)
    assert counters.names == "RAPL package-0"


def test_counters_too_coarse_for_the_power_at_idle_leave_it_unknown(monkeypatch):
    _, now = clock(monkeypatch)
    counters = energy.measured([Counter("RAPL package-0", lambda: 125 * math.floor(now[0] / 0.8) * 0.8)])
    assert counters.idle_watts is None


def rounds(monkeypatch, watts, *, number=8, step=0.0, seconds=2, **counter):
    """Return the energy of rounds of some seconds, with seven seconds between them."""
    sleep, now = clock(monkeypatch)
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
    assert rounds(monkeypatch, lambda now: 300 * now % 65532, span=65532.0, seconds=300) == energy.Joules(), "it may pass its range twice"
    assert rounds(monkeypatch, lambda now: 50 * now % 300) == energy.Joules(), "it falls, and its range is unknown"
