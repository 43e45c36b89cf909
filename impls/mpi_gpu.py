"""The same over GPUs: every rank computes its share of a mini-batch on a device of its own."""

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
    """`Mpi` on CuPy arrays. The ranks of a host take its devices in their order, one each.

    The gradients are summed by the best that all ranks have: NCCL, which stays on the devices' streams; an MPI that reads device
    memory (CUDA-aware); else through pinned memory of the host. Raises Unsupported if two of the ranks have the same device.
    """

    @classmethod
    def unavailable(cls) -> str | None:
        return Mpi.unavailable() or GpuTuned.unavailable()

    @classmethod
    def choose_device(cls, ranks: Any) -> None:
        """Make a device CuPy's current one. A launcher may have shown every rank its own alone."""
        position, _ = _on_this_host(ranks, None)
        cls.xp.cuda.Device(position % cls.xp.cuda.runtime.getDeviceCount()).use()

    @property
    def sums_with(self) -> str:
        return str(self._summing.name)

    def _setup(self, data: Dataset) -> None:
        _, taken = _on_this_host(self._ranks, self.xp.cuda.Device().pci_bus_id)
        ranks, devices = len(taken), len(set(taken))
        here = f"{ranks} ranks on a host with {devices} CUDA devices: start one for each device at most" if devices < ranks else ""
        if reason := max(self._ranks.allgather(here)):  # all refuse, or some would wait for those that did
            raise Unsupported(reason)
        super()._setup(data)

    @cached_property
    def _summing(self) -> OverNccl | OverDeviceMemory | OverHost:
        """What replaces an array on the device by its sum over the ranks."""
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
    """Sums on the devices, behind what is in the stream: the host waits for nothing."""

    name = "NCCL"

    def __init__(self, nccl: Any, xp: Any, ranks: Any) -> None:
        self._nccl, self._xp = nccl, xp
        self._communicator = nccl.NcclCommunicator(ranks.size, ranks.bcast(nccl.get_unique_id() if ranks.rank == 0 else None), ranks.rank)

    def __call__(self, array: Any) -> None:
        kind = self._nccl.NCCL_FLOAT32 if array.dtype == np.float32 else self._nccl.NCCL_FLOAT64
        stream = self._xp.cuda.get_current_stream().ptr
        self._communicator.allReduce(array.data.ptr, array.data.ptr, array.size, kind, self._nccl.NCCL_SUM, stream)


class OverDeviceMemory:
    """Hands device memory to MPI, when what is in the stream is done."""

    name = "MPI that reads device memory"

    def __init__(self, xp: Any, ranks: Any) -> None:
        self._xp, self._ranks = xp, ranks

    def __call__(self, array: Any) -> None:
        from mpi4py import MPI

        self._xp.cuda.get_current_stream().synchronize()
        self._ranks.Allreduce(MPI.IN_PLACE, array)


class OverHost:
    """Copies to the host, sums there, and copies back; the host's memory is pinned at the first call for that many bytes."""

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
    """Return this rank's position among those of its host, and what each of them gave. All ranks call it together."""
    from mpi4py import MPI

    here = ranks.Split_type(MPI.COMM_TYPE_SHARED)
    gathered = here.rank, here.allgather(mine)
    here.Free()
    return gathered


def _nccl() -> Any:
    """Return CuPy's NCCL, which `import cupy` alone does not load, or None where the library is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's, of what is missing: there are other ways
        from cupy.cuda import nccl
    return nccl if nccl.available else None


def _reads_device_memory() -> bool:
    """Return whether the MPI says of itself that it is CUDA-aware, as Open MPI and MPICH can be asked."""
    from mpi4py import MPI

    supported = getattr(ctypes.CDLL(MPI.__file__), "MPIX_Query_cuda_support", None)
    return supported is not None and bool(supported())
