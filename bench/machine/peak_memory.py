"""Peak memory beyond what the process had before: of the host, and of a GPU's memory pool."""

from __future__ import annotations

import ctypes
import gc
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

    def __init__(self, library: str, process: Path = _PROCESS) -> None:
        """Return freed memory to the system, and reset the peaks.

        library  of the trainer; the memory of a GPU is known for those with a pool that can be asked, CuPy and PyTorch
        process  directory where Linux shows this process
        """
        self._library, self._process = library, process
        gc.collect()  # garbage that is freed only during the measurement would hide as much of what is allocated
        with suppress(OSError, AttributeError):  # only glibc has it
            ctypes.CDLL(None).malloc_trim(0)
        self._before: int | None = None
        with suppress(OSError):
            (process / "clear_refs").write_text(_RESET_PEAK)
            self._before = self._read("VmRSS")
        self._gpu_before = _gpu_peak(library, reset=True)

    def result(self) -> MemoryUse:
        """Return the peaks beyond the memory at creation."""
        peak, gpu_peak = self._read("VmHWM"), _gpu_peak(self._library, reset=False)
        host = None if self._before is None or peak is None else float(max(peak - self._before, 0))
        device = None if gpu_peak is None else float(max(gpu_peak - (self._gpu_before or 0), 0))
        return MemoryUse(host, device)

    def _read(self, name: str) -> int | None:
        with suppress(OSError):
            if found := re.search(rf"^{name}:\s+(\d+) kB$", (self._process / "status").read_text(), re.MULTILINE):
                return int(found[1]) * 1024
        return None


def _gpu_peak(library: str, *, reset: bool) -> int | None:
    """Return the bytes that the library's pool has reserved on the GPU at most. reset: return unused memory to the GPU first"""
    module = sys.modules.get(library)
    with suppress(Exception):  # a library may have no device, or fail in any way
        if module and library == "cupy":
            pool = module.get_default_memory_pool()
            if reset:
                pool.free_all_blocks()
            return int(pool.total_bytes())  # the pool keeps what it has reserved
        if module and library == "torch" and module.cuda.is_initialized():
            if reset:
                module.cuda.empty_cache()
                module.cuda.reset_peak_memory_stats()
            return int(module.cuda.max_memory_reserved())
    return None
