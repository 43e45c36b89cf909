"""The matrix trainer on a GPU: the same lines with CuPy for NumPy."""

from __future__ import annotations

from typing import Any

from impls.matrix import Matrix

try:
    import cupy
except ImportError:  # an extra; `unavailable` tells the user
    cupy = None


class Gpu(Matrix):
    """`Matrix` with every array in the memory of CuPy's current device. float32 stays float32 (TF32 is CuPy's opt-in)."""

    xp = cupy
    library = "cupy"
    device = "gpu"
    cache = 1 << 28  # nothing is cut into slabs, and few gathers are launched

    @classmethod
    def unavailable(cls) -> str | None:
        if cupy is None:
            return "CuPy is not installed: pip install '.[gpu]' (CUDA 13) or '.[gpu-cuda12]'"
        if not cupy.cuda.is_available():
            return "CuPy finds no CUDA device: `nvidia-smi` must list one, with a driver for CuPy's CUDA version"
        return None

    def _wait(self) -> None:
        cupy.cuda.get_current_stream().synchronize()

    def _empty(self, *shape: int) -> Any:
        return cupy.empty(shape, self.dtype)  # starts on a multiple of 512 bytes

    @staticmethod
    def _gather(rows: Any, examples: Any, out: Any) -> None:
        cupy.take(rows, examples, axis=0, out=out)

    @staticmethod
    def _to_host(array: Any) -> Any:
        return cupy.asnumpy(array)
