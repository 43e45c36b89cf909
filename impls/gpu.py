"""matrix.py on a GPU: CuPy in place of NumPy, and nothing else."""

from __future__ import annotations

from impls.matrix import Matrix
from impls.network import Network
from impls.on_gpu import OnGpu
from impls.trainer import Order


class Gpu(OnGpu, Matrix):
    """`Matrix` with `xp = cupy`. NumPy's functions hand CuPy's arrays to CuPy, so `sigmoid` works on both."""

    def network(self) -> Network:
        return Network([self._to_host(w) for w in self._weights], [self._to_host(b) for b in self._biases])

    def _epoch(self, order: Order) -> None:
        super()._epoch(self.xp.asarray(order))
