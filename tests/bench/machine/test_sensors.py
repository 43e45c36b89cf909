"""Clock, temperature and throttling, and the settings that make a machine slow, from trees as Linux shows them."""

import sys
from types import ModuleType, SimpleNamespace

import psutil
import pytest

from bench.machine import affinity, gpu, memory, power_settings, sensors
from bench.machine.memory import Memory
from bench.machine.sensors import Changes, Sensors


@pytest.fixture
def cpus(tmp_path, monkeypatch):
    """Two processors at 3 and 3.2 GHz, one of which was throttled before."""
    monkeypatch.setattr(affinity, "processors", lambda: [0, 1])
    for number, kilohertz, events in ((0, 3_000_000, 4), (1, 3_200_000, 0)):
        write(tmp_path / f"cpu{number}" / "cpufreq" / "scaling_cur_freq", kilohertz)
        write(tmp_path / f"cpu{number}" / "cpufreq" / "scaling_governor", "performance")
        write(tmp_path / f"cpu{number}" / "thermal_throttle" / "core_throttle_count", events)
        write(tmp_path / f"cpu{number}" / "thermal_throttle" / "package_throttle_count", 0)
    return tmp_path


def write(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{content}\n")


def no_battery():
    return None


def test_the_clock_is_that_of_the_fastest_processor_that_the_process_may_use(cpus, monkeypatch):
    hot = {"coretemp": [SimpleNamespace(current=61.0), SimpleNamespace(current=64.0)], "nvme": [SimpleNamespace(current=80.0)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: hot, raising=False)
    assert sensors.read("cpu", cpus) == Sensors(3200, 64, frozenset(), (("temperature", 4),))
    monkeypatch.setattr(affinity, "processors", lambda: [0])
    assert sensors.read("cpu", cpus).mhz == 3000


def test_events_of_throttling_between_two_readings_are_a_reason(cpus):
    before = sensors.read("cpu", cpus)
    assert Changes.between(before, sensors.read("cpu", cpus)).throttled == ""
    write(cpus / "cpu1" / "thermal_throttle" / "package_throttle_count", 1)
    assert Changes.between(before, sensors.read("cpu", cpus)).throttled == "temperature"


def test_what_the_system_does_not_show_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "sensors_temperatures", dict, raising=False)
    monkeypatch.setattr(gpu, "_bus_of_device_0", no_battery)
    assert sensors.read("cpu", tmp_path) == Sensors(throttles=(("temperature", 0),))
    assert sensors.read("gpu", tmp_path) == Sensors()
    assert Changes.between(Sensors(), Sensors()) == Changes(None, None, None, None, "")
    assert list(power_settings.problems(tmp_path)) == []


class Nvml(ModuleType):
    """A stand-in for pynvml: a GPU that is limited by its power and its temperature, and has no readable clock."""

    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    class NVMLError(Exception):
        pass

    def nvmlInit(self):
        pass

    def nvmlDeviceGetHandleByPciBusId(self, bus):
        return bus

    def nvmlDeviceGetClockInfo(self, handle, kind):
        raise self.NVMLError("Not Supported")

    def nvmlDeviceGetTemperature(self, handle, sensor):
        return 83

    def nvmlDeviceGetViolationStatus(self, handle, policy):
        return SimpleNamespace(violationTime={0: 5_000_000, 1: 0}[policy])

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle):
        return 0x01 | 0x04 | 0x20 | 0x40  # idle, power, and two kinds of temperature


def test_a_gpu_names_its_reasons(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", Nvml("pynvml"))
    monkeypatch.setattr(gpu, "_bus_of_device_0", lambda: "0000:65:00.0")
    state = sensors.read("gpu")
    assert state == Sensors(None, 83, frozenset({"power cap", "temperature"}), (("power cap", 5_000_000), ("temperature", 0)))
    assert Changes.between(Sensors(), state).throttled == "power cap and temperature"
    earlier, later = (Sensors(throttles=(("power cap", time), ("temperature", 0))) for time in (4_000_000, 5_000_000))
    assert Changes.between(earlier, later).throttled == "power cap", "it was throttled in between"


def test_each_setting_that_slows_the_machine_is_named_with_its_remedy(cpus, monkeypatch):
    monkeypatch.setattr(psutil, "sensors_battery", no_battery, raising=False)
    monkeypatch.setattr(memory, "of_machine", lambda: Memory(16 << 30, 8 << 30))
    assert list(power_settings.problems(cpus)) == []
    write(cpus / "cpu1" / "cpufreq" / "scaling_governor", "powersave")
    write(cpus / "intel_pstate" / "no_turbo", 1)
    monkeypatch.setattr(psutil, "sensors_battery", lambda: SimpleNamespace(percent=57.4, power_plugged=False), raising=False)
    monkeypatch.setattr(memory, "of_machine", lambda: Memory(16 << 30, 1 << 28))
    governor, turbo, battery, full = power_settings.problems(cpus)
    assert governor.startswith("governor: powersave ")
    assert "cpupower frequency-set -g performance" in governor
    assert f"echo 0 | sudo tee {cpus}/intel_pstate/no_turbo" in turbo
    assert battery.startswith("battery: 57 %")
    assert full.startswith("memory: 0.250 of 16.0 GiB")


def test_boost_that_is_off_is_named_on_amd(cpus):
    write(cpus / "cpufreq" / "boost", 0)
    (turbo,) = (line for line in power_settings.problems(cpus) if line.startswith("turbo"))
    assert f"echo 1 | sudo tee {cpus}/cpufreq/boost" in turbo
