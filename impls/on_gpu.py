"""Base class of the trainers on CuPy arrays: the library, the device, and the synchronisation with it."""

from __future__ import annotations

from typing import Any

from impls.extras import install
from impls.trainer import Trainer

try:
    import cupy
except ImportError:  # an optional library; `unavailable` names the extra
    cupy = None


class OnGpu(Trainer):
    """Keeps every array in the memory of CuPy's current device. float32 stays float32: CuPy uses TF32 only if it is asked to."""

    xp = cupy
    library = "cupy"
    device = "gpu"

    @classmethod
    def unavailable(cls) -> str | None:
        if cupy is None:
            return f"CuPy is not installed: {install('gpu')} (CUDA 13), or {install('gpu-cuda12')}"
        if not cupy.cuda.is_available():
            return "CuPy finds no CUDA device: `nvidia-smi` must list one, with a driver for CuPy's CUDA version"
        return None

    def _synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def _to_host(self, array: Any) -> Any:
        return self.xp.asnumpy(array)
