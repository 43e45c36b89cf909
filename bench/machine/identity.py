"""Description of this machine: its identity (processor, cores, GPU) and its state (versions, BLAS and its kernels, driver).

This module reads no host name, user name or path, so a result cannot contain one.
"""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import psutil

from bench.machine.gpu import gpu_columns
from bench.text.numbers import counted


@dataclass(frozen=True)
class Machine:
    """The machine columns of the CSV. An empty string means absent or unknown."""

    machine: str
    cpu: str
    cores: int
    memory_gib: float
    gpu: str
    gpu_driver: str
    os: str
    python: str
    numpy: str
    blas: str
    blas_kernels: str
    cuda: str
    gpu_memory_gib: float | None = None
    gpu_clock_mhz: float | None = None

    @property
    def title(self) -> str:
        """The name, with processor, cores and GPU in parentheses."""
        return f"{self.machine} ({self.cpu}, {counted(self.cores, 'core')}, {self.gpu or 'no GPU'})"

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs to print."""
        return [(name.replace("_", " "), "-" if value in ("", None) else str(value)) for name, value in asdict(self).items()]


def describe(name: str | None = None) -> Machine:
    """Describe this machine. name: its name in results (None: a short name from processor, cores and GPU)."""
    import numpy

    cpu, cores, gpu = _cpu(), psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, gpu_columns()
    blas_name, blas_kernels = blas()
    return Machine(
        machine=slug(name) if name else slug(f"{cpu} {cores}-core {gpu['gpu']}"),
        cpu=cpu,
        cores=cores,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        os=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=numpy.__version__,
        blas=blas_name,
        blas_kernels=blas_kernels,
        **gpu,
    )


def slug(text: str) -> str:
    """Return text as a short name of lower-case letters, digits and hyphens, safe as a file name anywhere."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].rstrip("-") or "machine"
    return f"machine-{name}" if re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name) else name  # reserved for devices on Windows


def blas() -> tuple[str, str]:
    """Return the BLAS that NumPy uses, with its version, and the kernels that it selected for this processor."""
    import numpy  # noqa: F401 (loads the BLAS that threadpoolctl inspects)
    import threadpoolctl

    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    for library in sorted(libraries, key=lambda library: "numpy" not in library["filepath"]):  # SciPy may have loaded its own BLAS
        return f"{library['internal_api']} {library['version'] or ''}".strip(), library.get("architecture") or ""
    from numpy import show_config

    built = show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{built['name']} {built.get('version', '')}".strip(), ""


def versioned(library: str) -> str:
    """Return the name of a library, with its version if it is loaded and has one."""
    return f"{library} {getattr(sys.modules.get(library), '__version__', '')}".strip()


@cache
def cpu_info() -> dict[str, Any]:
    """Return cpuinfo's description of the processor, with "brand_raw", its name, and "flags", its instruction sets."""
    import cpuinfo  # a dependency of pytest-benchmark

    return dict(cpuinfo.get_cpu_info())


def _cpu() -> str:
    brand = str(cpu_info().get("brand_raw") or platform.processor() or platform.machine())
    # "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz" -> "Intel Xeon Platinum 8488C"; "AMD EPYC 9R14 96-Core Processor" -> "AMD EPYC 9R14"
    brand = re.sub(r"\((R|TM|tm)\)|@.*$|\b(CPU|Processor|\d+-Core)\b", " ", brand)
    return " ".join(brand.split())
