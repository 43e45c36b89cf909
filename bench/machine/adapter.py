"""The choice of an adapter of WebGPU, with --adapter: an environment variable, so that it holds for all processes that this one starts."""

from __future__ import annotations

import os

from bench.text.numbers import plain
from impls import InputError
from impls.accelerator import ADAPTER, Accelerator
from impls.extras import install


def choose(name: str | None) -> None:
    """Choose the adapter with this name, or part of a name. None changes nothing. Raises InputError if there is none."""
    if name is None:
        return
    try:
        from impls.webgpu_adapter import chosen
    except Exception as error:  # not installed, or its library does not load
        raise InputError(f"--adapter {name}", f"WebGPU does not load ({plain(str(error))})", install("webgpu")) from error
    os.environ[ADAPTER] = name
    if chosen() is None:
        raise InputError(f"--adapter {name}", "WebGPU finds no adapter", "install the driver of the graphics card")


def installed() -> list[Accelerator]:
    """Return the adapters of this machine, software last; none if WebGPU is not installed or does not load."""
    try:
        from impls.webgpu_adapter import adapters

        return [facts for facts, _ in adapters()]
    except Exception:  # a library may fail in any way
        return []
