"""The same over GPUs: every rank computes its share of a mini-batch on a device of its own."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu import Gpu
from impls.mpi import Mpi, world


class MpiGpu(Mpi, Gpu):
    """`Mpi` on CuPy arrays. The ranks of a host take its devices in their order, one each.

    The gradients are summed by the best that all ranks have: NCCL, which stays on the devices' streams; an MPI that reads device
    memory (CUDA-aware); else through pinned memory of the host.
    """

    @classmethod
    def unavailable(cls) -> str | None:
        return Mpi.unavailable() or Gpu.unavailable()

    def _place(self, data: Dataset) -> None:
        self._ranks = self.communicator or world()
        self._take_device()
        self._summing = self._way()
        super()._place(data)

    def _take_device(self) -> None:
        from mpi4py import MPI

        here = self._ranks.Split_type(MPI.COMM_TYPE_SHARED)  # the ranks of this host
        devices = self.xp.cuda.runtime.getDeviceCount()
        place, ranks = here.rank, here.size
        here.Free()
        if self._ranks.allreduce(ranks > devices, MPI.LOR):  # all refuse, or some would wait for those that did
            raise Unsupported(f"{ranks} ranks on a host with {devices} CUDA devices: start one for each device at most")
        self.xp.cuda.Device(place).use()

    def _way(self) -> Callable[[Any], None]:
        """Return the function that replaces an array on the device by its sum over the ranks."""
        from mpi4py import MPI

        if self._ranks.allreduce(_nccl(self.xp) is not None, MPI.LAND):
            return OverNccl(self.xp, self._ranks)
        if self._ranks.allreduce(_reads_device_memory(), MPI.LAND):
            return OverDeviceMemory(self.xp, self._ranks)
        return OverHost(self.xp, self._ranks)

    def _sum(self) -> None:
        self._summing(self._gradient)


class OverNccl:
    """Sums on the devices, behind what is in the stream: the host waits for nothing."""

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._nccl = xp, _nccl(xp)
        name = ranks.bcast(self._nccl.get_unique_id() if ranks.rank == 0 else None)
        self._communicator = self._nccl.NcclCommunicator(ranks.size, name, ranks.rank)

    def __call__(self, array: Any) -> None:
        kind = self._nccl.NCCL_FLOAT32 if array.dtype == np.float32 else self._nccl.NCCL_FLOAT64
        stream = self._xp.cuda.get_current_stream().ptr
        self._communicator.allReduce(array.data.ptr, array.data.ptr, array.size, kind, self._nccl.NCCL_SUM, stream)


class OverDeviceMemory:
    """Hands device memory to MPI, when what is in the stream is done."""

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._ranks = xp, ranks

    def __call__(self, array: Any) -> None:
        from mpi4py import MPI

        self._xp.cuda.get_current_stream().synchronize()
        self._ranks.Allreduce(MPI.IN_PLACE, array)


class OverHost:
    """Copies to the host, sums there, and copies back; the host's memory is pinned at the first call."""

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._ranks = xp, ranks
        self._host: Any = None

    def __call__(self, array: Any) -> None:
        from mpi4py import MPI

        if self._host is None:
            self._host = np.frombuffer(self._xp.cuda.alloc_pinned_memory(array.nbytes), array.dtype, array.size)
        array.get(out=self._host)  # waits for the stream
        self._ranks.Allreduce(MPI.IN_PLACE, self._host)
        array.set(self._host)
        self._xp.cuda.get_current_stream().synchronize()  # or the next step might overwrite what is still being copied


def _nccl(xp: Any) -> Any:
    """Return CuPy's NCCL, or None where there is none."""
    nccl = getattr(xp.cuda, "nccl", None)
    return nccl if getattr(nccl, "available", False) else None


def _reads_device_memory() -> bool:
    """Return whether the MPI says of itself that it is CUDA-aware, as Open MPI and MPICH can be asked."""
    from mpi4py import MPI

    supported = getattr(ctypes.CDLL(MPI.__file__), "MPIX_Query_cuda_support", None)
    return supported is not None and bool(supported())
