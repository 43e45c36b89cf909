"""A program that test_mpi.py runs under mpiexec: it trains the cases over the first 1, 2, ... ranks and saves the network of every rank.

python tests/support/over_ranks.py FILE: writes to FILE a pickled {(trainer, ranks, case): [weights and biases of each rank]}.
"""

import pickle
import sys
import types
from pathlib import Path

import numpy as np

from impls import Dataset, Network, Unsupported
from impls.mpi import Mpi, world
from impls.mpi_gpu import MpiGpu
from tests.support.fake_cupy import Device
from tests.support.fake_stream import start
from tests.support.trainers_on_cpu import OnDevice

CASES = {  # layers, examples, batch size
    "divides": ([6, 5, 3], 24, 12),
    "does not divide, and the last mini-batch is short": ([6, 5, 3], 23, 7),
    "more ranks than examples": ([6, 3], 23, 3),
    "one example each": ([6, 4, 3], 5, 1),
    "one mini-batch, deep": ([6, 5, 4, 7, 3], 23, 1000),
    "the last mini-batch falls to a rank as the others do": ([6, 5, 3], 19, 10),
}


class MpiGpuOnCpu(OnDevice, MpiGpu):
    pass


class NoNccl:
    """CuPy's nccl module on a machine without the library."""

    available = False


class Nccl:
    """A stand-in for NCCL on top of MPI. It checks the arguments of its callers."""

    available, NCCL_SUM, NCCL_FLOAT32, NCCL_FLOAT64 = True, 0, 7, 8

    @staticmethod
    def get_unique_id():
        return bytes(range(128))

    class NcclCommunicator:
        def __init__(self, ranks, name, rank):
            assert (ranks, rank, name) == (world().size, world().rank, Nccl.get_unique_id())

        def allReduce(self, source, target, count, kind, operation, stream):
            assert source == target
            assert (kind, operation, stream) == (Nccl.NCCL_FLOAT64, Nccl.NCCL_SUM, 0)
            here = np.ctypeslib.as_array((np.ctypeslib.ctypes.c_double * count).from_address(source))
            start(lambda: np.copyto(here, world().allreduce(here.copy())))


class NcclOnCpu(MpiGpuOnCpu):
    pass


class TooFew(MpiGpuOnCpu):
    """Three devices for four ranks, so two ranks would share one."""

    class xp(Device):
        class cuda(Device.cuda):
            class runtime:
                getDeviceCount = staticmethod(lambda: 3)


class Bound(MpiGpuOnCpu):
    """One visible device per rank, a different one for each, as with Slurm's --gpus-per-task=1."""

    class xp(Device):
        class cuda(Device.cuda):
            class runtime:
                getDeviceCount = staticmethod(lambda: 1)

            class Device(Device.cuda.Device):
                @property
                def pci_bus_id(self):
                    return f"{world().rank:x}:{super().pci_bus_id}"


KINDS = {1: (Mpi, MpiGpuOnCpu), 2: (Mpi,), 3: (Mpi, MpiGpuOnCpu), 4: (Mpi, NcclOnCpu)}  # trainers by number of ranks


def job(case):
    layers, examples, batch_size = CASES[case]
    rng = np.random.default_rng(7)
    data = Dataset(rng.random((examples, 6)), rng.integers(0, 3, examples), classes=3)
    return Network.scaled(layers, seed=1, dtype=np.float64), data, data.order(seed=5), batch_size


def train(kind, case, epochs=2):
    start, data, order, batch_size = job(case)
    trainer = kind(start, data, batch_size=batch_size, learning_rate=3.0)
    for _ in range(epochs):
        trainer.train_epoch(order)
    return trainer


def main(file):
    every, kept = world(), {}
    MpiGpuOnCpu.choose_device(every)
    for package in ("cupy", "cupy.cuda"):  # as in CuPy, importing these does not import cupy.cuda.nccl
        sys.modules[package] = types.ModuleType(package)
        sys.modules[package].__path__ = []
    for ranks in range(1, every.size + 1):
        some = every.Split(0 if every.rank < ranks else 1)
        if every.rank < ranks:
            for kind in KINDS[ranks]:
                sys.modules["cupy.cuda.nccl"] = Nccl if kind is NcclOnCpu else NoNccl
                for case in CASES:
                    trainer = train(kind.over(some), case)
                    assert trainer.ranks == ranks
                    network = trainer.network()
                    kept[kind.__name__, ranks, case] = some.gather([*network.weights, *network.biases])
                    if kind is not Mpi:
                        assert trainer.sums_with == ("NCCL" if kind is NcclOnCpu else "MPI through the host's memory")
    alone = every.Split(every.rank)
    train(MpiGpuOnCpu.over(alone), "divides")
    kept["devices"] = every.gather(Device.cuda.Device.current)
    train(Bound, "divides")
    try:
        train(TooFew, "divides")
    except Unsupported as reason:
        kept["refused"] = every.gather(str(reason))
    if every.rank == 0:
        file.write_bytes(pickle.dumps(kept))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
