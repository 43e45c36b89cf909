"""Peak memory beyond what the process had before: of the host, and of a GPU's memory pool."""

from __future__ import annotations

import ctypes
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_PROCESS = Path("/proc/self")
_RESET_PEAK = "5"  # clear_refs: set the peak of the resident memory to its present value


class MemoryUse(NamedTuple):
    """Bytes as columns of the CSV. None: the system does not show them."""

    memory_bytes: float | None = None
    gpu_memory_bytes: float | None = None


class PeakMemory:
    """Measures the peak from its creation on. On other systems than Linux, the host's peak is unknown: it cannot be reset."""

    def __init__(self, process: Path = _PROCESS) -> None:
        """Return freed memory to the system, and reset the peaks. process: directory where Linux shows this process"""
        self._process = process
        with suppress(OSError, AttributeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        self._before: int | None = None
        with suppress(OSError):
            (process / "clear_refs").write_text(_RESET_PEAK)
            self._before = self._read("VmRSS")
        self._gpu_before = _gpu_peak(reset=True)

    def result(self) -> MemoryUse:
        """Return the peaks beyond the memory at creation."""
        peak, gpu_peak = self._read("VmHWM"), _gpu_peak(reset=False)
        host = None if self._before is None or peak is None else float(max(peak - self._before, 0))
        device = None if gpu_peak is None else float(max(gpu_peak - (self._gpu_before or 0), 0))
        return MemoryUse(host, device)

    def _read(self, name: str) -> int | None:
        with suppress(OSError):
            if found := re.search(rf"^{name}:\s+(\d+) kB$", (self._process / "status").read_text(), re.MULTILINE):
                return int(found[1]) * 1024
        return None


def _gpu_peak(*, reset: bool) -> int | None:
    """Return the bytes that the pools of CuPy and PyTorch have taken from the GPU. reset: return unused memory to the GPU first"""
    found = []
    with suppress(Exception):  # a library may have no device, or fail in any way
        if cupy := sys.modules.get("cupy"):
            pool = cupy.get_default_memory_pool()
            if reset:
                pool.free_all_blocks()
            found.append(int(pool.total_bytes()))  # a pool keeps what it has taken
    with suppress(Exception):
        if (torch := sys.modules.get("torch")) and torch.cuda.is_initialized():
            if reset:
                torch.cuda.reset_peak_memory_stats()
            found.append(int(torch.cuda.max_memory_allocated()))
    return sum(found) if found else None
