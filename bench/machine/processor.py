"""The processor: its name, its identifier, its microarchitecture and its caches."""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench.machine import microarchitecture

_CPUINFO, _CACHES = Path("/proc/cpuinfo"), Path("/sys/devices/system/cpu/cpu0/cache")
_MACOS_CACHES = {"L1d": "hw.l1dcachesize", "L2": "hw.l2cachesize", "L3": "hw.l3cachesize"}


@dataclass(frozen=True)
class Processor:
    """The processor. An empty string means unknown.

    name               without trademarks, frequency and number of cores
    id                 vendor, family, model and stepping, or on ARM implementer, part, variant and revision, joined by hyphens
    microarchitecture  its generation, such as "zen4"
    caches             sizes for one core in KiB, such as "L1d 32K L2 1024K L3 32768K"; the last may be shared
    """

    name: str
    id: str
    microarchitecture: str
    caches: str

    @property
    def kind(self) -> str:
        """The name, with the microarchitecture if the name has no model number, as on virtual machines ("AMD EPYC")."""
        return self.name if re.search(r"\d", self.name) else f"{self.name} {self.microarchitecture}".strip()


@cache
def cpu_info() -> dict[str, Any]:
    """Return cpuinfo's description of the processor, with "brand_raw", its name, and "flags", its instruction sets."""
    import cpuinfo  # a dependency of pytest-benchmark

    return dict(cpuinfo.get_cpu_info())


def processor() -> Processor:
    """Return this machine's processor."""
    info, cores = cpu_info(), list(_arm_cores(text_of(_CPUINFO)))
    vendor = info.get("vendor_id_raw", "")
    family, model, stepping = (info.get(name) or 0 for name in ("family", "model", "stepping"))
    identifier = generation = ""
    if cores:
        identifier = "+".join("-".join((f"{implementer:#x}", f"{part:#x}", *rest)) for implementer, part, *rest in cores)
        generation = "+".join(filter(None, (microarchitecture.arm(implementer, part) for implementer, part, *_ in cores)))
    elif family > 0:
        identifier, generation = f"{vendor}-{family}-{model}-{stepping}", microarchitecture.x86(vendor, family, model, stepping)
    elif on_a_mac := sysctl("hw.cpufamily"):
        identifier = f"Apple-{int(on_a_mac) & 0xFFFFFFFF:#x}"
    return Processor(_name(info, generation), identifier, generation, " ".join(f"{level} {size}K" for level, size in _caches()))


def sysctl(name: str) -> str:
    """Return a value of macOS's sysctl; empty on another system, or if it has no such value."""
    if platform.system() != "Darwin":
        return ""
    try:
        return subprocess.run(["sysctl", "-n", name], capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def text_of(path: Path) -> str:
    """Return the text of a file of the system; empty if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _name(info: dict[str, Any], generation: str) -> str:
    brand = str(info.get("brand_raw") or "")
    if not re.search(r"[^\W\d]", brand):  # on ARM, cpuinfo may take the number of a processor for its name
        brand = generation or platform.processor() or platform.machine()
    # "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz" -> "Intel Xeon Platinum 8488C"; "AMD EPYC 9R14 96-Core Processor" -> "AMD EPYC 9R14"
    brand = re.sub(r"\((R|TM|tm)\)|@.*$|\b(CPU|Processor|\d+-Core)\b", " ", brand)
    return " ".join(brand.split())


def _arm_cores(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield implementer, part, variant and revision of each kind of core in the text of Linux's /proc/cpuinfo; none if it is not ARM."""
    seen = set()
    for block in text.split("\n\n"):
        values = dict(re.findall(r"^CPU (implementer|part|variant|revision)\s*:\s*(\w+)", block, re.MULTILINE))
        if "implementer" in values and "part" in values:
            core = int(values["implementer"], 0), int(values["part"], 0), values.get("variant", "0x0"), values.get("revision", "0")
            if core not in seen:
                seen.add(core)
                yield core


def _caches() -> Iterator[tuple[str, int]]:
    """Yield the name of each data cache of a core, and its size in KiB; none on Windows."""
    for index in sorted(_CACHES.glob("index[0-9]*")):  # Linux
        level, kind, size = (text_of(index / name).strip() for name in ("level", "type", "size"))
        if kind in ("Data", "Unified") and (kib := re.fullmatch(r"(\d+)K", size)):
            yield f"L{level}{'d' * (kind == 'Data')}", int(kib[1])
    for name, key in _MACOS_CACHES.items():
        if (size := sysctl(key)).isdecimal() and int(size):
            yield name, int(size) >> 10
