"""What this machine is: its identity (processor, cores, GPU) and its state (versions, BLAS and its kernels, driver).

No host name, user name or path is read, so none can leave the machine with a result.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from dataclasses import asdict, dataclass

import psutil


@dataclass(frozen=True)
class Machine:
    """The machine's columns of the CSV, in their order. Empty text: there is none, or it cannot be known."""

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

    def lines(self) -> list[tuple[str, str]]:
        """Return (label, value) pairs for people."""
        return [(name.replace("_", " "), str(value) or "-") for name, value in asdict(self).items()]


def describe(name: str | None = None) -> Machine:
    """Look at this machine. name: what results call it, else a short name made of processor, cores and GPU."""
    import numpy

    cpu, cores, (gpu, gpu_driver, cuda) = _cpu(), psutil.cpu_count(logical=False) or psutil.cpu_count() or 1, _gpu()
    blas_name, blas_kernels = blas()
    return Machine(
        machine=slug(name) if name else slug(f"{cpu} {cores}-core {gpu}"),
        cpu=cpu,
        cores=cores,
        memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
        gpu=gpu,
        gpu_driver=gpu_driver,
        os=f"{platform.system()} {platform.machine()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=numpy.__version__,
        blas=blas_name,
        blas_kernels=blas_kernels,
        cuda=cuda,
    )


def slug(text: str) -> str:
    """Return text as a short name of lower-case letters, digits and hyphens, safe as a file name anywhere."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].rstrip("-") or "machine"


def blas() -> tuple[str, str]:
    """Return the BLAS under NumPy, with its version, and the kernels that it chose for this processor."""
    import numpy  # noqa: F401 (loads the BLAS that threadpoolctl then looks at)
    import threadpoolctl

    for library in threadpoolctl.threadpool_info():
        if library["user_api"] == "blas":
            return f"{library['internal_api']} {library['version'] or ''}".strip(), library.get("architecture") or ""
    from numpy import show_config

    built = show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{built['name']} {built.get('version', '')}".strip(), ""


def versioned(library: str) -> str:
    """Return the name of a library, with its version if it is loaded and tells one."""
    return f"{library} {getattr(sys.modules.get(library), '__version__', '')}".strip()


def _cpu() -> str:
    import cpuinfo  # comes with pytest-benchmark

    brand = str(cpuinfo.get_cpu_info().get("brand_raw") or platform.processor() or platform.machine())
    # "Intel(R) Xeon(R) Platinum 8488C CPU @ 2.40GHz" -> "Intel Xeon Platinum 8488C"; "AMD EPYC 9R14 96-Core Processor" -> "AMD EPYC 9R14"
    brand = re.sub(r"\((R|TM|tm)\)|@.*$|\b(CPU|Processor|\d+-Core)\b", " ", brand)
    return " ".join(brand.split())


def _gpu() -> tuple[str, str, str]:
    """Return the first NVIDIA GPU's name, driver and CUDA version, as nvidia-smi tells them."""
    try:
        query = subprocess.run(
            ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader", "--id=0"], capture_output=True, text=True, timeout=30
        )
        banner = subprocess.run(["nvidia-smi"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return "", "", ""
    if query.returncode or query.stdout.count(",") != 1:
        return "", "", ""
    name, driver = (part.strip() for part in query.stdout.split(","))
    version = re.search(r"CUDA Version:\s*([\d.]+)", banner.stdout)
    return name, driver, version.group(1) if version else ""
