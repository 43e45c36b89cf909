"""Description of this machine: its identity (processor, cores, memory, GPU) and its state (versions, BLAS and its kernels, driver).

This module reads no host name, user name or path, so a result cannot contain one.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import unicodedata
from contextlib import suppress
from dataclasses import asdict, dataclass

import psutil

from bench.machine import memory
from bench.machine.gpu import gpu_columns
from bench.machine.processor import processor
from bench.machine.system_model import system_model
from bench.text.numbers import counted

_LONGEST = 80  # bytes of a name; a file name adds the run, and may have 255


@dataclass(frozen=True)
class Machine:
    """The machine columns of the CSV. An empty string means absent or unknown; so does a memory of 0."""

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
    cpu_id: str
    microarchitecture: str
    caches: str
    system_model: str
    gpu_memory_gib: float | None = None
    gpu_clock_mhz: float | None = None

    @property
    def title(self) -> str:
        """The name, with processor, cores and GPU in parentheses."""
        cpu = f"{self.cpu}, {self.microarchitecture}" if self.microarchitecture else self.cpu
        return f"{self.machine} ({cpu}, {counted(self.cores, 'core')}, {self.gpu or 'no GPU'})"

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs to print."""
        return [(name.replace("_", " "), "-" if value in ("", None) else str(value)) for name, value in asdict(self).items()]


def describe(name: str | None = None) -> Machine:
    """Describe this machine. name: its name in results (None: a short name from processor, cores and GPU)."""
    import numpy

    cpu, cores, gpu, total = processor(), _cores(), gpu_columns(), memory.of_machine().limit
    blas_name, blas_kernels = blas()
    return Machine(
        # Without CUDA, the GPU is known only where WebGPU is installed, so it is not in the name.
        machine=slug(name) if name else slug(f"{cpu.kind} {cores}-core {gpu['gpu'] if gpu['cuda'] else ''}"),
        cpu=cpu.name,
        cores=cores,
        memory_gib=round(total / 2**30, 1) if total < sys.maxsize else 0.0,
        os=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=numpy.__version__,
        blas=blas_name,
        blas_kernels=blas_kernels,
        cpu_id=cpu.id,
        microarchitecture=cpu.microarchitecture,
        caches=cpu.caches,
        system_model=system_model(),
        **gpu,
    )


def _cores() -> int:
    """Return the number of physical cores, or of processors if the system hides that."""
    with suppress(OSError, psutil.Error):
        if cores := psutil.cpu_count(logical=False):
            return cores
    return os.cpu_count() or 1


def slug(text: str, ending: str = "") -> str:
    """Return text as a short name of lower-case letters, digits and hyphens, safe as a file name anywhere. Letters may be of any script.

    ending  added after the text is cut to its length
    """
    for _ in range(2):  # after one pass, a second one may still change some letters
        text = unicodedata.normalize("NFKC", text.casefold())
    name = re.sub(r"[\W_]+", "-", text).strip("-")
    name = (name.encode()[: _LONGEST - len(ending)].decode(errors="ignore").rstrip("-") or "machine") + ending
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
