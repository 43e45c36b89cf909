"""The GPU trainers on the stand-in for CuPy."""

import numpy as np

from impls import Dataset, Network
from impls.gpu import Gpu
from impls.gpu_fused import GpuFused
from impls.gpu_graph import GpuGraph
from impls.gpu_lookahead import GpuLookahead
from impls.gpu_tuned import GpuTuned
from tests.support.fake_cupy import Device, Unbuilt
from tests.support.fake_stream import current


class OnDevice:
    """Mixin for a GPU trainer, to run it on the stand-in for CuPy."""

    xp = Device


class GpuOnCpu(OnDevice, Gpu):
    pass


class TunedOnCpu(OnDevice, GpuTuned):
    pass


class GraphOnCpu(OnDevice, GpuGraph):
    @staticmethod
    def _launch_dependent(function, grid, threads, arguments, shared, stream):
        assert stream is current()
        function(grid, (threads,), arguments, shared, dependent=True)
        return True


class FusedOnCpu(OnDevice, GpuFused):
    pass


class LookaheadOnCpu(OnDevice, GpuLookahead):
    blocks = (6,)  # the fewest that fit the book's network: the emulation runs every thread of every block


ON_CPU = {"gpu": GpuOnCpu, "gpu_tuned": TunedOnCpu, "gpu_graph": GraphOnCpu, "gpu_fused": FusedOnCpu, "gpu_lookahead": LookaheadOnCpu}


class UnbuiltGraph(GraphOnCpu):
    xp = Unbuilt


class UnbuiltFused(OnDevice, GpuFused):
    xp = Unbuilt


class UnbuiltLookahead(OnDevice, GpuLookahead):
    xp = Unbuilt


def asked_for(kind, layers, batch_size, dtype, capability, monkeypatch):
    """Return the code, options and names of the kernels that a trainer requests on a device of this compute capability."""
    monkeypatch.setattr(Device.cuda.Device, "compute_capability", capability)
    monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", 132)
    data = Dataset(np.zeros((batch_size, layers[0]), np.float32), np.zeros(batch_size, int), classes=layers[-1])
    kind(Network.scaled(layers, dtype=dtype), data, batch_size=batch_size, learning_rate=1.0)
    return Unbuilt.asked
