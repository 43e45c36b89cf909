"""Energy from RAPL, in trees as Linux shows them, and from a stand-in for NVML."""

import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.machine import energy, gpu
from bench.machine.energy import Counter
from tests.support.clock import clock


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


def test_the_power_at_idle_and_the_steps_of_a_counter_are_measured(monkeypatch):
    _, now = clock(monkeypatch, energy)
    counters = energy.measured([Counter("RAPL package-0", lambda: 30 * math.floor(now[0] / 0.1 + 1e-6) * 0.1)])
    assert counters.idle_watts == pytest.approx(30, rel=0.02)
    assert counters.step == pytest.approx(0.1, rel=0.05)
    assert counters.names == "RAPL package-0"


def test_counters_too_coarse_for_the_power_at_idle_leave_it_unknown(monkeypatch):
    _, now = clock(monkeypatch, energy)
    counters = energy.measured([Counter("RAPL package-0", lambda: 125 * math.floor(now[0] / 0.8) * 0.8)])
    assert counters.idle_watts is None
