"""Identity of the GPU: of the one that CUDA uses, from NVML or nvidia-smi, otherwise of WebGPU's first adapter."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from typing import Any

from bench.machine import adapter

_FIELDS = "name,driver_version,memory.total,clocks.max.sm"


def gpu_columns() -> dict[str, Any]:
    """Return the GPU columns of the CSV; empty strings without a GPU. The clock is the maximum clock of the multiprocessors."""
    bus = _bus_of_device_0()
    return (bus and (_from_nvml(bus) or _from_nvidia_smi(bus))) or _from_webgpu() or {"gpu": "", "gpu_driver": "", "cuda": ""}


def _from_webgpu() -> dict[str, Any] | None:
    """Return the columns of WebGPU's first adapter; None without the package, or if there is only software."""
    hardware = [one for one in adapter.installed() if one.kind != "software"]
    return {"gpu": hardware[0].name, "gpu_driver": hardware[0].driver, "cuda": ""} if hardware else None


def _bus_of_device_0() -> str | None:
    """Return the PCI bus id of CUDA device 0, which all trainers use; None without a device.

    The id comes from the driver: nvidia-smi numbers GPUs by bus position, CUDA by speed and by CUDA_VISIBLE_DEVICES.
    """
    try:
        cuda = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return None
    device, bus = ctypes.c_int(), ctypes.create_string_buffer(32)
    failed = cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0) or cuda.cuDeviceGetPCIBusId(bus, len(bus), device)
    return None if failed else bus.value.decode()


def nvml_device() -> tuple[Any, Any] | None:
    """Return the module pynvml and its handle of CUDA device 0; None without a device, the package, or the library."""
    bus = _bus_of_device_0()
    return _nvml(bus) if bus else None


def _nvml(bus: str) -> tuple[Any, Any] | None:
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        return pynvml, pynvml.nvmlDeviceGetHandleByPciBusId(bus)
    except pynvml.NVMLError:
        return None


def _from_nvml(bus: str) -> dict[str, Any] | None:
    """Return the columns from NVML; None if the package or the library is missing or fails."""
    if not (device := _nvml(bus)):
        return None
    pynvml, handle = device
    try:
        cuda = pynvml.nvmlSystemGetCudaDriverVersion_v2()
        return {
            "gpu": pynvml.nvmlDeviceGetName(handle),
            "gpu_driver": pynvml.nvmlSystemGetDriverVersion(),
            "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}",
            "gpu_memory_gib": round(pynvml.nvmlDeviceGetMemoryInfo(handle).total / 2**30, 1),
            "gpu_clock_mhz": float(pynvml.nvmlDeviceGetMaxClockInfo(handle, pynvml.NVML_CLOCK_SM)),
        }
    except pynvml.NVMLError:
        return None


def _from_nvidia_smi(bus: str) -> dict[str, Any] | None:
    """Return the columns from nvidia-smi; None if it fails."""
    query = ["nvidia-smi", f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits", f"--id={bus}"]
    try:
        values, banner = (subprocess.run(command, capture_output=True, text=True, timeout=30) for command in (query, query[:1]))
    except (OSError, subprocess.TimeoutExpired):
        return None
    if values.returncode or values.stdout.count(",") != _FIELDS.count(","):
        return None
    name, driver, mebibytes, clock = (part.strip() for part in values.stdout.split(","))
    version = re.search(r"CUDA Version:\s*([\d.]+)", banner.stdout)
    return {
        "gpu": name,
        "gpu_driver": driver,
        "cuda": version.group(1) if version else "",
        "gpu_memory_gib": round(float(mebibytes) / 1024, 1) if mebibytes.isdigit() else None,
        "gpu_clock_mhz": float(clock) if clock.isdigit() else None,
    }
