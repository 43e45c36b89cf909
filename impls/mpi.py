"""A trainer that splits every mini-batch over MPI ranks and sums the gradients with one Allreduce per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import mpi4py

from impls.dataset import Dataset
from impls.extras import install
from impls.matrix_tuned import Layers, MatrixTuned
from impls.tape import Tape

# `unavailable` loads MPI, and the first trainer initialises it. So a process that only lists trainers does not join an MPI job.
mpi4py.rc.initialize = False
mpi4py.rc.finalize = True


class Mpi(MatrixTuned):
    """`MatrixTuned` on MPI ranks: each rank computes a contiguous share of the examples of every mini-batch.

    All ranks of the communicator construct the trainer with the same arguments and train every epoch in the same order. They end with
    the same weights. A rank without an example in a mini-batch contributes a gradient of zeros.

    The Allreduce starts after the whole gradient is computed. Overlap does not help: an epoch that sent the upper layers' part during
    the computation of the first layer's took 0.98 to 1.00 of the time with the same messages sent afterwards (784-512-512-10, two
    ranks), and 0.99 to 1.08 of the time with one Allreduce (784-1000-10, 784-100-10). MPICH 5.0, Open MPI 5.0, shared memory.
    """

    communicator: ClassVar[Any] = None
    """The mpi4py communicator of the ranks (default: None, all ranks that the launcher started, or this process without a launcher)."""
    _renamed: ClassVar[Mapping[str, str]] = {**MatrixTuned._renamed, "settle": "choose_device"}

    @classmethod
    def over(cls, communicator: Any) -> type[Mpi]:
        """Return a subclass of this trainer for the ranks of an mpi4py communicator."""
        return type(cls.__name__, (cls,), {"communicator": communicator})

    @classmethod
    def unavailable(cls) -> str | None:
        try:
            from mpi4py import MPI  # noqa: F401 (loads the library without initialising it)
        except (ImportError, RuntimeError) as error:
            return f"mpi4py: no MPI library ({str(error).splitlines()[0]}); {install('mpi')}, or load your cluster's MPI module"
        return None

    @classmethod
    def choose_device(cls, ranks: Any) -> None:
        """Choose the device of each rank of a host; on CPUs, do nothing.

        ranks  the communicator of the job

        Collective: all ranks of the job must call this before they construct trainers on a subset of the ranks. A trainer on all ranks
        calls it itself.
        """

    @property
    def ranks(self) -> int:
        return int(self._ranks.size)

    @property
    def sums_with(self) -> str:
        """The library that sums the gradients."""
        return "MPI"

    @property
    def message(self) -> int:
        """The bytes of a step's Allreduce."""
        return int(self._gradient.flat.nbytes)

    def exchange(self, size: int) -> Callable[[int], None]:
        """Return a function f(times) that repeats a step's Allreduce on an array of `size` bytes, and waits for the last one."""
        array = self._zeros(max(size // self.dtype.itemsize, 1))

        def sums(times: int) -> None:
            for _ in range(times):
                self._allreduce(array)
            self._synchronize()

        return sums

    @cached_property
    def _ranks(self) -> Any:
        if self.communicator is not None:
            return self.communicator
        every = world()
        self.choose_device(every)
        return every

    def _setup(self, data: Dataset) -> None:
        self._alone = self._ranks.size == 1
        super()._setup(data)

    def _share(self, m: int) -> slice:
        """Return the slice of this rank's examples in a mini-batch of m. The shares differ by at most one; the first ranks have more."""
        each, over = divmod(m, self._ranks.size)
        first = self._ranks.rank * each + min(self._ranks.rank, over)
        return slice(first, first + each + (self._ranks.rank < over))

    def _backprop(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        """Compute the gradient, summed over the ranks."""
        super()._backprop(xp, x, y, layers)
        if not self._alone:
            xp.record(self._allreduce, self._gradient.flat)

    def _allreduce(self, array: Any) -> None:
        """Replace an array of the array library by its sum over the ranks. Later operations on the array see the sum."""
        from mpi4py import MPI

        self._ranks.Allreduce(MPI.IN_PLACE, array)


def world() -> Any:
    """Return the communicator of all ranks that the launcher started. Initialises MPI if necessary."""
    from mpi4py import MPI

    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_FUNNELED)
    return MPI.COMM_WORLD


def library() -> str:
    """Return the name and version of the MPI library: the first line of MPI_Get_library_version."""
    from mpi4py import MPI

    return " ".join(str(MPI.Get_library_version()).splitlines()[0].split()).rstrip("\x00,")
