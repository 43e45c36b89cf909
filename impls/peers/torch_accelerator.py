"""The GPU that PyTorch computes on: of NVIDIA, AMD, Intel or Apple."""

from __future__ import annotations

import sys
import warnings

import torch

from impls.accelerator import Accelerator
from impls.programs import pip


def _current() -> tuple[str, str]:
    """Return the type of the current accelerator, such as "cuda" or "mps", or nothing, and PyTorch's warning if there is one."""
    with warnings.catch_warnings(record=True) as caught:  # PyTorch gives the reason in a warning, such as an old driver
        warnings.simplefilter("always")
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found.type if found else "", "".join(f" ({str(warning.message).splitlines()[0]})" for warning in caught)


CURRENT, _REASON = _current()


def facts() -> Accelerator | None:
    """Return what PyTorch says of the GPU; None without one."""
    if CURRENT == "mps":
        return Accelerator(getattr(torch.backends.mps, "get_name", lambda: "Apple GPU")(), "Apple", "integrated", "Metal")
    if CURRENT == "xpu":
        properties = torch.xpu.get_device_properties()
        return Accelerator(properties.name, "Intel", backend="XPU", driver=str(getattr(properties, "driver_version", "")))
    if CURRENT == "cuda":
        properties = torch.cuda.get_device_properties()
        kind = "integrated" if getattr(properties, "is_integrated", False) else "discrete"
        vendor, backend = ("AMD", "ROCm") if torch.version.hip else ("NVIDIA", "CUDA")
        return Accelerator(properties.name, vendor, kind, backend)
    return Accelerator(CURRENT, backend=CURRENT) if CURRENT else None


def missing() -> str:
    """Return why PyTorch finds no GPU, with the command that fixes it."""
    built_for = torch.version.cuda or torch.version.hip
    if built_for:
        tool, backend = ("rocminfo", "ROCm") if torch.version.hip else ("nvidia-smi", "CUDA")
        return f"PyTorch: no {backend} device{_REASON}; `{tool}` must list one, with a driver for {backend} {built_for}"
    if sys.platform == "darwin":
        return f"PyTorch {torch.__version__}: no Apple GPU; it needs a Mac with Apple silicon"
    reinstall = f"for an NVIDIA GPU, {pip()} install --force-reinstall torch" if sys.platform == "linux" else "for an NVIDIA GPU"
    return f"PyTorch {torch.__version__}: built without a GPU; {reinstall}; for AMD and Intel, see pytorch.org/get-started"
