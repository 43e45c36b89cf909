"""Clock frequency, temperature and throttling of the processors, and of a GPU. A value that the system does not show is None."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from bench.machine import affinity, gpu
from bench.machine.processor import text_of

CPUS = Path("/sys/devices/system/cpu")
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # Linux's names of the sensors in a processor

# Reasons of NVML, by the bits that it returns. The others, such as an idle GPU, are no throttling.
_REASONS = {0x04: "power cap", 0x08: "hardware slowdown", 0x20: "temperature", 0x40: "temperature", 0x80: "power brake"}
_POLICIES = {0: "power cap", 1: "temperature"}  # NVML_PERF_POLICY_POWER and _THERMAL


class Sensors(NamedTuple):
    """A reading.

    mhz        clock frequency: of the fastest processor, because an idle one clocks down
    celsius    temperature
    throttled  reasons for throttling at this moment
    throttles  events or nanoseconds of throttling since the start, by reason
    """

    mhz: float | None = None
    celsius: float | None = None
    throttled: frozenset[str] = frozenset()
    throttles: tuple[tuple[str, int], ...] = ()


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
        first = dict(before.throttles)
        rising = {reason for reason, number in after.throttles if number > first.get(reason, number)}
        reasons = sorted(before.throttled | after.throttled | rising)
        return cls(before.mhz, after.mhz, before.celsius, after.celsius, " and ".join(reasons))


def read(device: str, cpus: Path = CPUS) -> Sensors:
    """Read the sensors of the device: "cpu", "gpu", or an empty text for one without. cpus: directory where Linux shows the processors"""
    if not device:
        return Sensors()
    return _of_gpu() if device == "gpu" else _of_cpu(cpus)


def _of_cpu(cpus: Path) -> Sensors:
    mine = [cpus / f"cpu{number}" for number in affinity.processors()]
    kilohertz = _numbers(cpu / "cpufreq" / "scaling_cur_freq" for cpu in mine)
    events = _numbers(cpu / "thermal_throttle" / f"{what}_throttle_count" for cpu in mine for what in ("core", "package"))
    return Sensors(max(kilohertz) / 1000 if kilohertz else None, _cpu_celsius(), throttles=(("temperature", sum(events)),))


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
    present = frozenset(reason for bit, reason in _REASONS.items() if bits & bit)
    # The present reasons of an idle GPU are none, so the times of throttling count, too.
    times = [(reason, asked("nvmlDeviceGetViolationStatus", policy)) for policy, reason in _POLICIES.items()]
    throttles = tuple((reason, int(status.violationTime)) for reason, status in times if status)
    return Sensors(mhz and float(mhz), celsius and float(celsius), present, throttles)


def _numbers(files: Iterable[Path]) -> list[int]:
    return [int(text) for file in files if (text := text_of(file).strip()).isdecimal()]
