"""What this machine is: its identity (processor, cores, GPU) and its state (versions, BLAS and its kernels, driver).

No host name, user name or path is read, so none can leave the machine with a result.
"""

from __future__ import annotations

import ctypes
import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import psutil


@dataclass(frozen=True)
class Machine:
    """The machine's columns of the CSV. Empty text: there is none, or it cannot be known."""

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

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for people."""
        return [(name.replace("_", " "), "-" if value in ("", None) else str(value)) for name, value in asdict(self).items()]


def describe(name: str | None = None) -> Machine:
    """Look at this machine. name: what results call it, else a short name made of processor, cores and GPU."""
    import numpy

    cpu, cores, gpu = _cpu(), psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, _gpu()
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
    return f"machine-{name}" if re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name) else name  # Windows keeps those for devices


def blas() -> tuple[str, str]:
    """Return the BLAS under NumPy, with its version, and the kernels that it chose for this processor."""
    import numpy  # noqa: F401 (loads the BLAS that threadpoolctl then looks at)
    import threadpoolctl

    libraries = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    for library in sorted(libraries, key=lambda library: "numpy" not in library["filepath"]):  # SciPy may have brought one of its own
        return f"{library['internal_api']} {library['version'] or ''}".strip(), library.get("architecture") or ""
    from numpy import show_config

    built = show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{built['name']} {built.get('version', '')}".strip(), ""


def versioned(library: str) -> str:
    """Return the name of a library, with its version if it is loaded and tells one."""
    return f"{library} {getattr(sys.modules.get(library), '__version__', '')}".strip()


@cache
def cpu_info() -> dict[str, Any]:
    """Return what is known of the processor: "brand_raw", its name, and "flags", its instruction sets, among others."""
    import cpuinfo  # comes with pytest-benchmark

    return dict(cpuinfo.get_cpu_info())


def _cpu() -> str:
    brand = str(cpu_info().get("brand_raw") or platform.processor() or platform.machine())
    # "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz" -> "Intel Xeon Platinum 8488C"; "AMD EPYC 9R14 96-Core Processor" -> "AMD EPYC 9R14"
    brand = re.sub(r"\((R|TM|tm)\)|@.*$|\b(CPU|Processor|\d+-Core)\b", " ", brand)
    return " ".join(brand.split())


def _gpu() -> dict[str, Any]:
    """Return the columns of the GPU in use, as nvidia-smi tells them: memory, and the highest clock of its multiprocessors."""
    nothing: dict[str, Any] = {"gpu": "", "gpu_driver": "", "cuda": ""}
    bus = _gpu_in_use()
    if bus is None:
        return nothing
    fields = "name,driver_version,memory.total,clocks.max.sm"
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader,nounits", f"--id={bus}"]
    try:
        told, banner = (subprocess.run(command, capture_output=True, text=True, timeout=30) for command in (query, query[:1]))
    except (OSError, subprocess.TimeoutExpired):
        return nothing
    if told.returncode or told.stdout.count(",") != fields.count(","):
        return nothing
    name, driver, mebibytes, clock = (part.strip() for part in told.stdout.split(","))
    version = re.search(r"CUDA Version:\s*([\d.]+)", banner.stdout)
    return {
        "gpu": name,
        "gpu_driver": driver,
        "cuda": version.group(1) if version else "",
        "gpu_memory_gib": round(float(mebibytes) / 1024, 1) if mebibytes.isdigit() else None,
        "gpu_clock_mhz": float(clock) if clock.isdigit() else None,
    }


def _gpu_in_use() -> str | None:
    """Return where on the PCI bus CUDA's device 0 is, on which all compute; None without one.

    Asked of the driver: nvidia-smi numbers GPUs by their place, CUDA by their speed, and by CUDA_VISIBLE_DEVICES.
    """
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, bus = ctypes.c_int(), ctypes.create_string_buffer(32)
    failed = cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetPCIBusId(bus, len(bus), device)
    return None if failed else bus.value.decode()
