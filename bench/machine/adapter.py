"""The choice of an adapter of WebGPU, with --adapter: an environment variable, so that it holds for all processes that this one starts."""

from __future__ import annotations

import os

from impls import InputError
from impls.accelerator import Accelerator

VARIABLE = "EPOCHBENCH_ADAPTER"  # as in impls/webgpu_adapter.py, which may not be importable here


def choose(name: str | None) -> None:
    """Choose the adapter with this name, or part of a name. None changes nothing. Raises InputError if there is none."""
    if name is None:
        return
    try:
        from impls.webgpu_adapter import chosen
    except ImportError as error:
        from impls.extras import install

        raise InputError(f"--adapter {name}", "WebGPU is not installed", install("webgpu")) from error
    os.environ[VARIABLE] = name
    if chosen() is None:
        raise InputError(f"--adapter {name}", "WebGPU finds no adapter", "install the driver of the graphics card")


def available() -> list[Accelerator]:
    """Return the adapters of this machine: the chosen one first, software last; none if WebGPU is not installed."""
    try:
        from impls.webgpu_adapter import adapters, chosen

        first = chosen()
        return sorted((facts for facts, _ in adapters()), key=lambda facts: first is not None and facts != first[0])
    except ImportError:
        return []
