"""Base class of the trainers on CuPy arrays: the library, the device, and the synchronisation with it."""

from __future__ import annotations

from typing import Any

from impls.accelerator import Accelerator
from impls.extras import install
from impls.graphics_cards import how_to_use_them
from impls.trainer import Trainer

try:
    import cupy
except ImportError:  # an optional library; `unavailable` names the extra
    cupy = None


class OnGpu(Trainer):
    """Keeps every array in the memory of CuPy's current device, on CUDA or ROCm. float32 stays float32: CuPy uses TF32 only on request."""

    xp = cupy
    library = "cupy"
    device = "gpu"

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        properties, is_hip = cls.xp.cuda.runtime.getDeviceProperties(cls.xp.cuda.Device().id), cls.xp.cuda.runtime.is_hip
        kind = "integrated" if properties["integrated"] else "discrete"
        return Accelerator(properties["name"].decode(), *(("AMD", kind, "ROCm") if is_hip else ("NVIDIA", kind, "CUDA")))

    @classmethod
    def unavailable(cls) -> str | None:
        if cls.xp is None:
            cuda = f"{install('gpu')} (CUDA 13), or {install('gpu-cuda12')}"
            return f"CuPy is not installed: {how_to_use_them() or cuda}"
        if cls.xp.cuda.is_available():
            return None
        tool, backend = ("rocminfo", "ROCm") if cls.xp.cuda.runtime.is_hip else ("nvidia-smi", "CUDA")
        return f"CuPy finds no {backend} device: `{tool}` must list one, with a driver for CuPy's {backend} version"

    def _synchronize(self) -> None:
        self.xp.cuda.get_current_stream().synchronize()

    def _to_host(self, array: Any) -> Any:
        return self.xp.asnumpy(array)
