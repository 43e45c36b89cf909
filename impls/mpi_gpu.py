"""The trainer of mpi.py on GPUs: every rank computes its share of a mini-batch on its own device."""

from __future__ import annotations

import ctypes
import warnings
from functools import cached_property
from typing import Any

import numpy as np

from impls.dataset import Dataset
from impls.errors import Unsupported
from impls.gpu_tuned import GpuTuned
from impls.mpi import Mpi


class MpiGpu(Mpi, GpuTuned):
    """`Mpi` on CuPy arrays. Each rank of a host uses one device, in the order of the ranks.

    The gradients are summed by the first method that all ranks support: NCCL, which works on the devices' streams; a CUDA-aware MPI;
    MPI with pinned host memory. Raises Unsupported on all ranks if two of them use the same device.
    """

    @classmethod
    def unavailable(cls) -> str | None:
        return Mpi.unavailable() or GpuTuned.unavailable()

    @classmethod
    def choose_device(cls, ranks: Any) -> None:
        """Set CuPy's current device. The launcher may have limited each rank to one visible device."""
        position, _ = _on_this_host(ranks, None)
        cls.xp.cuda.Device(position % cls.xp.cuda.runtime.getDeviceCount()).use()

    @property
    def sums_with(self) -> str:
        return str(self._summing.name)

    def _setup(self, data: Dataset) -> None:
        _, taken = _on_this_host(self._ranks, self.xp.cuda.Device().pci_bus_id)
        ranks, devices = len(taken), len(set(taken))
        here = f"mpi_gpu: {ranks} ranks on a host with {devices} CUDA devices; start at most one per device" if devices < ranks else ""
        if reason := max(self._ranks.allgather(here)):  # all ranks raise, because the others would wait for those that did
            raise Unsupported(reason)
        super()._setup(data)

    @cached_property
    def _summing(self) -> OverNccl | OverDeviceMemory | OverHost:
        """The function that replaces an array on the device by its sum over the ranks."""
        from mpi4py import MPI

        nccl = _nccl()
        if self._ranks.allreduce(nccl is not None, MPI.LAND):
            return OverNccl(nccl, self.xp, self._ranks)
        if self._ranks.allreduce(_reads_device_memory(), MPI.LAND):
            return OverDeviceMemory(self.xp, self._ranks)
        return OverHost(self.xp, self._ranks)

    def _allreduce(self, array: Any) -> None:
        self._summing(array)


class OverNccl:
    """Sums on the devices, in stream order. The host does not wait."""

    name = "NCCL"

    def __init__(self, nccl: Any, xp: Any, ranks: Any) -> None:
        self._nccl, self._xp = nccl, xp
        self._communicator = nccl.NcclCommunicator(ranks.size, ranks.bcast(nccl.get_unique_id() if ranks.rank == 0 else None), ranks.rank)

    def __call__(self, array: Any) -> None:
        kind = self._nccl.NCCL_FLOAT32 if array.dtype == np.float32 else self._nccl.NCCL_FLOAT64
        stream = self._xp.cuda.get_current_stream().ptr
        self._communicator.allReduce(array.data.ptr, array.data.ptr, array.size, kind, self._nccl.NCCL_SUM, stream)


class OverDeviceMemory:
    """Passes device memory to a CUDA-aware MPI, after it has synchronised the stream."""

    name = "CUDA-aware MPI"

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._ranks = xp, ranks

    def __call__(self, array: Any) -> None:
        from mpi4py import MPI

        self._xp.cuda.get_current_stream().synchronize()
        self._ranks.Allreduce(MPI.IN_PLACE, array)


class OverHost:
    """Copies to pinned host memory, sums there, and copies back. The first call for a size allocates the host memory."""

    name = "MPI through the host's memory"

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._ranks = xp, ranks
        self._host = np.empty(0)

    def __call__(self, array: Any) -> None:
        from mpi4py import MPI

        if self._host.nbytes != array.nbytes:
            self._host = np.frombuffer(self._xp.cuda.alloc_pinned_memory(array.nbytes), array.dtype, array.size)
        array.get(out=self._host)  # waits for the stream
        self._ranks.Allreduce(MPI.IN_PLACE, self._host)
        array.set(self._host)  # the next `get` comes after it in the stream


def _on_this_host(ranks: Any, mine: Any) -> tuple[int, list[Any]]:
    """Return this rank's index among the ranks of its host, and the values `mine` of all of them. Collective over `ranks`."""
    from mpi4py import MPI

    here = ranks.Split_type(MPI.COMM_TYPE_SHARED)
    gathered = here.rank, here.allgather(mine)
    here.Free()
    return gathered


def _nccl() -> Any:
    """Return CuPy's NCCL module, which `import cupy` does not load, or None if the library is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy warns that NCCL is missing, but MPI can replace it
        from cupy.cuda import nccl
    return nccl if nccl.available else None


def _reads_device_memory() -> bool:
    """Return whether the MPI library reports that it is CUDA-aware. Open MPI and MPICH have a function for this."""
    from mpi4py import MPI

    supported = getattr(ctypes.CDLL(MPI.__file__), "MPIX_Query_cuda_support", None)
    return supported is not None and bool(supported())
