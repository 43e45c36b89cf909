"""The matrix trainer over many processes: every mini-batch split over MPI ranks, the gradients summed by one Allreduce a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import mpi4py

from impls.dataset import Dataset
from impls.matrix_tuned import Layers, MatrixTuned
from impls.tape import Tape

# MPI is loaded by `unavailable` and started by the first trainer: a process that only lists trainers joins no job.
mpi4py.rc.initialize = False
mpi4py.rc.finalize = True


class Mpi(MatrixTuned):
    """`MatrixTuned` of which each rank computes its share of every mini-batch: the examples that come one after another in it.

    All ranks of the communicator make the trainer with the same arguments, and take every epoch in the same order, as they would
    alone; they end with the same weights. A rank to which nothing of a mini-batch falls adds a gradient of zeros.

    The Allreduce waits for the whole gradient. To send the upper layers' part while the first layer's is computed was tried: with
    784-512-512-10 over two ranks an epoch took 0.98 to 1.00 of that with the same messages sent afterwards, and an epoch of
    784-1000-10 or 784-100-10 took 0.99 to 1.08 of that with one Allreduce (MPICH 5.0, Open MPI 5.0, shared memory).
    """

    communicator: ClassVar[Any] = None
    """The ranks that share the work; None: all that the launcher started, or this process alone without one."""
    _renamed: ClassVar[Mapping[str, str]] = {**MatrixTuned._renamed, "settle": "choose_device"}

    @classmethod
    def over(cls, communicator: Any) -> type[Mpi]:
        """Return this trainer for the ranks of an mpi4py communicator."""
        return type(cls.__name__, (cls,), {"communicator": communicator})

    @classmethod
    def unavailable(cls) -> str | None:
        try:
            from mpi4py import MPI  # noqa: F401 (loads the library, and starts nothing)
        except (ImportError, RuntimeError) as error:
            return f"mpi4py finds no MPI ({str(error).splitlines()[0]}): pip install '.[mpi]', or load the module of your cluster's"
        return None

    @classmethod
    def choose_device(cls, ranks: Any) -> None:
        """Give each rank of a host what it computes on. All ranks of the job call this together, before they make trainers over some.

        A trainer over all of them does so by itself. On processors there is nothing to give.
        """

    @property
    def ranks(self) -> int:
        return int(self._ranks.size)

    @property
    def sums_with(self) -> str:
        """What sums the gradients."""
        return "MPI"

    @property
    def message(self) -> int:
        """The bytes that a step's Allreduce sums."""
        return int(self._gradient.flat.nbytes)

    def exchange(self, size: int) -> Callable[[int], None]:
        """Return a function that sums so many bytes over the ranks as a step does, as often as it is told, and waits for the last."""
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
        """Return this rank's examples of a mini-batch: as many as the other ranks', or one more, which the first ranks have."""
        each, over = divmod(m, self._ranks.size)
        first = self._ranks.rank * each + min(self._ranks.rank, over)
        return slice(first, first + each + (self._ranks.rank < over))

    def _backprop(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        """Fill the gradient, summed over the ranks."""
        super()._backprop(xp, x, y, layers)
        if not self._alone:
            xp.note(self._allreduce, self._gradient.flat)

    def _allreduce(self, array: Any) -> None:
        """Replace an array of the library's by its sum over the ranks, before anything that is done to it afterwards."""
        from mpi4py import MPI

        self._ranks.Allreduce(MPI.IN_PLACE, array)


def world() -> Any:
    """Return the communicator of all ranks that the launcher started. Starts MPI if nobody has."""
    from mpi4py import MPI

    if not MPI.Is_initialized():
        MPI.Init_thread(MPI.THREAD_FUNNELED)
    return MPI.COMM_WORLD


def library() -> str:
    """Return which MPI it is: the first line of what it says of itself."""
    from mpi4py import MPI

    return " ".join(str(MPI.Get_library_version()).splitlines()[0].split()).rstrip("\x00,")
