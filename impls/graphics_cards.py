"""The makers of this machine's graphics cards, to name the extra that makes use of them."""

from __future__ import annotations

import platform
import sys
from contextlib import suppress
from pathlib import Path

from impls.accelerator import VENDORS
from impls.extras import install

_CARDS = Path("/sys/class/drm")


def makers(cards: Path = _CARDS) -> set[str]:
    """Return the known makers. cards: directory where Linux shows the cards; Windows shows none, and a Mac has no card for CUDA"""
    if sys.platform == "darwin":
        return {"Apple" if platform.machine() == "arm64" else "Intel"}
    found = set()
    for file in cards.glob("card[0-9]*/device/vendor"):
        with suppress(OSError, ValueError):
            found.add(VENDORS.get(int(file.read_text(), 16), ""))
    return found - {""}


def how_to_use_them(found: set[str] | None = None) -> str:
    """Return the commands for cards that are not NVIDIA's, the best first; empty without one, or beside NVIDIA's. found: their makers"""
    found = makers() if found is None else found
    if "NVIDIA" in found or not found & {"AMD", "Apple", "Intel"}:
        return ""
    commands = [f"{install('gpu-rocm')} (ROCm 7)"] if "AMD" in found else []
    return f"for a GPU of {' or '.join(sorted(found))}: {', or '.join([*commands, install('webgpu')])}"
