"""Clock frequency, temperature and throttling of the processors, and of a GPU. A value that the system does not show is None."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import psutil

from bench.machine import affinity, gpu
from bench.machine.processor import text_of

CPUS = Path("/sys/devices/system/cpu")
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # Linux's names of the sensors in a processor

# Reasons of NVML, by the bits that it returns. The others, such as an idle GPU, are no throttling.
_REASONS = {0x04: "power cap", 0x08: "hardware slowdown", 0x20: "temperature", 0x40: "temperature", 0x80: "power brake"}


class Sensors(NamedTuple):
    """A reading. mhz: clock frequency; celsius: temperature; throttled: present reasons; throttle_events: number since the start"""

    mhz: float | None = None
    celsius: float | None = None
    throttled: frozenset[str] = frozenset()
    throttle_events: int = 0


class Changes(NamedTuple):
    """Two readings as columns of the CSV. throttled: reasons, joined by " and " """

    clock_mhz: float | None = None
    clock_mhz_after: float | None = None
    celsius: float | None = None
    celsius_after: float | None = None
    throttled: str = ""

    @classmethod
    def between(cls, before: Sensors, after: Sensors) -> Changes:
        """Return the changes from one reading to another."""
        reasons = before.throttled | after.throttled
        if after.throttle_events > before.throttle_events:
            reasons |= {"temperature"}
        return cls(before.mhz, after.mhz, before.celsius, after.celsius, " and ".join(sorted(reasons)))


def read(device: str, cpus: Path = CPUS) -> Sensors:
    """Read the sensors of the device, "cpu" or "gpu". cpus: directory where Linux shows the processors"""
    return _of_gpu() if device == "gpu" else _of_cpu(cpus)


def _of_cpu(cpus: Path) -> Sensors:
    mine = [cpus / f"cpu{number}" for number in affinity.processors()]
    kilohertz = _numbers(cpu / "cpufreq" / "scaling_cur_freq" for cpu in mine)
    events = _numbers(cpu / "thermal_throttle" / f"{what}_throttle_count" for cpu in mine for what in ("core", "package"))
    return Sensors(fmean(kilohertz) / 1000 if kilohertz else None, _cpu_celsius(), throttle_events=sum(events))


def _cpu_celsius() -> float | None:
    found: list[float] = []
    with suppress(OSError, psutil.Error, AttributeError):  # no such function on Windows and macOS
        for name, sensors in psutil.sensors_temperatures().items():
            found += [sensor.current for sensor in sensors if name in _CPU_SENSORS]
    return max(found, default=None)


def _of_gpu() -> Sensors:
    if not (device := gpu.nvml_device()):
        return Sensors()
    nvml, handle = device

    def asked(function: str, *arguments: Any) -> Any:
        with suppress(nvml.NVMLError, AttributeError):  # not supported by the device, or by this version of the package
            return getattr(nvml, function)(handle, *arguments)
        return None

    mhz, celsius = asked("nvmlDeviceGetClockInfo", nvml.NVML_CLOCK_SM), asked("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU)
    bits = asked("nvmlDeviceGetCurrentClocksThrottleReasons") or 0
    return Sensors(mhz and float(mhz), celsius and float(celsius), frozenset(reason for bit, reason in _REASONS.items() if bits & bit))


def _numbers(files: Iterable[Path]) -> list[int]:
    return [int(text) for file in files if (text := text_of(file).strip()).isdecimal()]
