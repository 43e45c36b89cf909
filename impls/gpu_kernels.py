"""The common base class of the GPU trainers with their own kernels: the arrays on the device, and the compilation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.network import Network
from impls.on_gpu import OnGpu
from impls.trainer import Order

KERNELS = Path(__file__).parent / "kernels"


def ceil_divide(count: int, part: int) -> int:
    """Return count / part, rounded up."""
    return -(-count // part)


class GpuKernels(OnGpu):
    """Trains with CUDA C++ from impls/kernels instead of array operations.

    On the device, row-major, in the network's dtype: images (n, n_0); for each layer w (n_l, n_{l-1}) and b (1, n_l). Also on the
    device, as 32-bit integers: the epoch's order (n,).
    """

    @classmethod
    def unavailable(cls) -> str | None:
        if cls.xp is not None and cls.xp.cuda.runtime.is_hip:
            return "its kernels need CUDA: instructions of NVIDIA's, and settings of shared memory that CuPy lacks on ROCm; use gpu_tuned"
        return super().unavailable()

    def _setup(self, data: Dataset) -> None:
        xp = self.xp
        self._images = xp.array(data.images, dtype=self.dtype, order="C")
        self._order = xp.zeros(self.examples, np.int32)
        self._host_order = np.frombuffer(xp.cuda.alloc_pinned_memory(self._order.nbytes), np.int32, self.examples)
        self._w = [xp.zeros((n, below), self.dtype) for below, n in pairwise(self.layers)]
        self._b = [xp.zeros((1, n), self.dtype) for n in self.layers[1:]]

    def _set_weights(self, network: Network) -> None:
        for mine, given in zip((*self._w, *self._b), (*network.weights, *(b.T for b in network.biases)), strict=True):
            mine[...] = self.xp.asarray(given)

    def network(self) -> Network:
        return Network([self._to_host(w) for w in self._w], [self._to_host(b).T for b in self._b])

    def _send(self, order: Order, begin: int = 0, end: int | None = None) -> None:
        """Start to copy order[begin:end] to the device, from a pinned buffer that stays allocated until the copy is done."""
        self._host_order[begin:end] = order[begin:end]
        self._order[begin:end].set(self._host_order[begin:end])

    def _compiled(self, files: tuple[str, ...], kernels: tuple[str, ...], **sizes: int) -> list[Any]:
        """Compile files of impls/kernels for the device, as one text, and return the kernels.

        files    names of the files, in order
        kernels  names of the kernels
        sizes    macros that the files use, in addition to REAL
        """
        # Joined, not included: CuPy's cache uses the source text as its key, and would miss a change in an included file.
        code = "\n".join((KERNELS / file).read_text(encoding="utf-8") for file in files)
        macros = {"REAL": "float" if self.dtype == np.float32 else "double", **sizes}
        options = ("-std=c++17", *(f"-D{name}={value}" for name, value in macros.items()))
        module = self.xp.RawModule(code=code, options=options, name_expressions=kernels)
        return [module.get_function(name) for name in kernels]
