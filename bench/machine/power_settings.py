"""Settings and states of the machine that make it slower or noisier: governor, turbo, battery, memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from bench.machine import memory
from bench.machine.processor import text_of
from bench.machine.sensors import CPUS
from bench.text.numbers import digits

_FULL = 0.05  # of the memory: with less available, the system may swap


def problems(cpus: Path = CPUS) -> Iterator[str]:
    """Yield a line for each problem, with what to do. cpus: directory where Linux shows the processors"""
    governors = {text_of(file).strip() for file in cpus.glob("cpu[0-9]*/cpufreq/scaling_governor")}
    if "powersave" in governors:
        yield "governor: powersave keeps clocks low at first; set another with sudo cpupower frequency-set -g performance"
    if text_of(cpus / "intel_pstate" / "no_turbo").strip() == "1":
        yield f"turbo: off, so clocks stay below their highest; turn it on with echo 0 | sudo tee {cpus}/intel_pstate/no_turbo"
    elif text_of(cpus / "cpufreq" / "boost").strip() == "0":
        yield f"turbo: off, so clocks stay below their highest; turn it on with echo 1 | sudo tee {cpus}/cpufreq/boost"
    with suppress(OSError, psutil.Error, AttributeError):  # not every system has the function
        battery = psutil.sensors_battery()
        if battery is not None and battery.power_plugged is False:
            yield f"battery: {battery.percent:.0f} %, and the system may save power; plug the machine in"
    machine = memory.of_machine()
    if machine.free < _FULL * machine.limit:
        free = f"{digits(machine.free / 2**30)} of {digits(machine.limit / 2**30)} GiB are free"
        yield f"memory: {free}, so the system may swap; end other programs"
