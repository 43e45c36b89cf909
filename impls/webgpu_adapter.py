"""The adapters that WebGPU offers on this machine, and the one that the trainers use."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import wgpu

from impls.accelerator import ADAPTER, VENDORS, Accelerator
from impls.errors import unknown

_KINDS = {"DiscreteGPU": "discrete", "IntegratedGPU": "integrated", "VirtualGPU": "virtual", "Unknown": "", "CPU": "software"}
_RANK = tuple(_KINDS.values())
_BACKENDS = ("Metal", "Vulkan", "D3D12")  # of one device, the best first; not OpenGL, which offers less


@cache
def adapters() -> tuple[tuple[Accelerator, Any], ...]:
    """Return each adapter with wgpu's object for it: discrete ones first, software last."""
    with _quiet():
        found = [(_facts(one.info), one) for one in wgpu.gpu.enumerate_adapters_sync() if one.info["backend_type"] in _BACKENDS]
    return tuple(sorted(found, key=lambda pair: (_RANK.index(pair[0].kind), _BACKENDS.index(pair[0].backend))))


def chosen() -> tuple[Accelerator, Any] | None:
    """Return the adapter that the environment variable names, or the first; None without any. Raises InputError for an unknown name."""
    name = os.environ.get(ADAPTER, "")
    for facts, adapter in adapters():
        if name.lower() in str(facts).lower():
            return facts, adapter
    if name and adapters():
        raise unknown("adapter", name, [str(facts) for facts, _ in adapters()])
    return None


def _facts(info: Any) -> Accelerator:
    return Accelerator(
        name=info["device"],
        vendor=VENDORS.get(info["vendor_id"], info["vendor"]),
        kind=_KINDS.get(info["adapter_type"], ""),
        backend=info["backend_type"],
        driver=info["description"],
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Set XDG_RUNTIME_DIR, without which the Wayland library prints an error for each adapter, in a container and over SSH."""
    if "XDG_RUNTIME_DIR" in os.environ:
        yield
        return
    os.environ["XDG_RUNTIME_DIR"] = tempfile.gettempdir()
    try:
        yield
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
