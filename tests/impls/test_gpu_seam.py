"""Tests of the host code of the GPU trainers on a stand-in for CuPy, and of machines without a GPU."""

import re
import subprocess
import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest

from bench.measure.case import absent
from impls import TRAINERS, Dataset, Network, load_trainer, unavailable
from impls.extras import install
from impls.gpu_graph import STEPS_A_GRAPH, GpuGraph, replays
from impls.graphics_cards import how_to_use_them, makers
from impls.loop import Loop
from impls.testing import relative_error, same_bits, trained
from tests.support.fake_cupy import Device
from tests.support.fake_stream import Eager
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import (
    FusedOnCpu,
    GpuOnCpu,
    GraphOnCpu,
    LookaheadOnCpu,
    TunedOnCpu,
    UnbuiltFused,
    UnbuiltGraph,
    UnbuiltLookahead,
)


def test_the_stand_in_refuses_what_cupy_refuses():
    device, host = Device.array([1.0, 2.0]), np.ones(2)
    for mix in (lambda: device + host, lambda: host * device, lambda: device[np.array([0])]):
        with pytest.raises(TypeError):
            mix()


def launches(kind, layers, steps):
    """Return the launches of an epoch with this number of steps of 4 examples, counted by name."""
    data = Dataset(np.ones((4 * steps, layers[0])), np.zeros(4 * steps, int), classes=layers[-1])
    trainer = kind(Network.scaled(layers), data, batch_size=4, learning_rate=1.0)
    Device.launches.clear()
    trainer.train_epoch(np.arange(len(data)))
    return Counter(Device.launches)


# gpu_tuned has for each layer a forward product, an activation, a delta, and products for w and b; for each layer except for the first, a
# product for the delta below it; and the step. gpu has one launch for each operation of matrix.py.
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(
    ("kind", "a_step"),
    [
        pytest.param(GpuOnCpu, lambda depth: 16 * depth + 2, id="gpu"),
        pytest.param(TunedOnCpu, lambda depth: 5 * depth + depth - 1 + 1, id="gpu_tuned"),
        pytest.param(UnbuiltGraph, lambda depth: max(2 * depth - 1, 2), id="gpu_graph"),
    ],
)
def test_the_number_of_launches_of_a_step(kind, a_step, depth):
    layers = [6, *[5] * (depth - 1), 3]
    two, five = (launches(kind, layers, steps) for steps in (2, 5))
    assert (five - two).total() == 3 * a_step(depth), five - two


def test_an_epoch_of_gpu_fused_is_one_launch():
    assert launches(UnbuiltFused, [6, 5, 3], 5) == {"epoch": 1}


def test_an_epoch_of_gpu_lookahead_is_one_launch_of_each_kernel():
    assert launches(UnbuiltLookahead, [6, 5, 3], 5) == {"prepare": 1, "epoch": 1}


@needs_compiler
@pytest.mark.parametrize("first_steps", [1, 3, 5])
@pytest.mark.parametrize("early", [False, True])
def test_gpu_lookahead_prepares_later_steps_during_the_first_ones(first_steps, early, small):
    class InTwoParts(LookaheadOnCpu):
        def _setup(self, data):
            super()._setup(data)
            if early:
                self._beside = Eager()

    InTwoParts.first_steps = first_steps  # of six steps; the last one has three examples
    assert launches(InTwoParts, [6, 5, 3], 6) == {"prepare": 2, "epoch": 2}
    start, order = Network.scaled([6, 5, 3], dtype=np.float64), small.order(seed=3)
    right = trained(load_trainer("loop"), start, small, batch_size=4, order=order)
    assert relative_error(trained(InTwoParts, start, small, batch_size=4, order=order), right) < 1e-12


@pytest.mark.parametrize("examples", [1, 9, 10, 11, 10 * STEPS_A_GRAPH, 10 * STEPS_A_GRAPH + 3, 50_000, 50_001])
def test_the_graphs_of_an_epoch_use_every_example_once_in_mini_batches(examples):
    plan = replays(examples, 10)
    taken = [size for sizes, times in plan for _ in range(times) for size in sizes]
    assert taken == [10] * (examples // 10) + [examples % 10] * (examples % 10 > 0)
    assert all(len(sizes) <= STEPS_A_GRAPH + 1 for sizes, _ in plan)
    assert len(plan) <= 2


@needs_compiler
def test_a_replay_continues_where_the_previous_one_ended(small, monkeypatch):
    # 23 examples in batches of 4: a graph of two steps is replayed twice, then a full and a short step follow.
    monkeypatch.setattr("impls.gpu_graph.STEPS_A_GRAPH", 2)
    start, order = Network.scaled([6, 5, 3], dtype=np.float64), small.order(seed=3)
    right = trained(load_trainer("loop"), start, small, batch_size=4, order=order)
    assert relative_error(trained(GraphOnCpu, start, small, batch_size=4, order=order), right) < 1e-12


@needs_compiler
@pytest.mark.parametrize(
    ("choice", "m", "layers", "dtype"),
    [
        *(  # several tiles, with partial ones; rows that are multiples of a quad, and rows that are not
            ({"narrow": {dtype: ()}, "tiles": {dtype: (tile,)}}, m, layers, dtype)
            for dtype, tiles in GpuGraph.tiles.items()
            for tile in tiles
            for m, layers in ((140, [20, 150, 131, 2]), (9, [7, 5, 4, 2]))
        ),
        *(
            ({"narrow": {dtype: (narrow,)}}, 11, [n_below, 12, 13, 2], dtype)
            for dtype, kinds in GpuGraph.narrow.items()
            for narrow in kinds
            for n_below in (37, 36)
        ),
        *(({}, 9, [1100, 11, 13, 2], dtype) for dtype in GpuGraph.tiles),  # several iterations of a narrow block
        ({"examples_together": 3}, 200, [9, 37, 12], "float32"),  # not a divisor of the mini-batch; more outputs than one read covers
        ({}, 1, [5, 1], "float32"),
    ],
    ids=str,
)
def test_every_kernel_of_gpu_graph_matches_the_loop(choice, m, layers, dtype):
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((m, layers[0])), rng.integers(0, layers[-1], m), classes=layers[-1])
    start = Network.scaled(layers, dtype=dtype)
    right = trained(load_trainer("loop"), start.astype("float64"), data, batch_size=m, learning_rate=0.5)
    kind = type("Chosen", (GraphOnCpu,), choice)
    assert relative_error(trained(kind, start, data, batch_size=m, learning_rate=0.5), right) < {"float32": 1e-5, "float64": 1e-13}[dtype]


on_the_cpu = pytest.mark.skipif(unavailable("gpu") is None, reason="needs a machine without a GPU")


@pytest.mark.parametrize("name", ["gpu", "gpu_tuned", "gpu_graph", "gpu_fused", "gpu_lookahead"])
def test_without_cupy_the_trainer_imports_and_explains_how_to_install_it(name):
    program = f"import sys; sys.modules['cupy'] = None\nfrom impls import load_trainer\nprint(load_trainer({name!r}).unavailable())"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "CuPy" in output
    assert install("gpu") in output


def test_on_rocm_the_trainers_with_cuda_kernels_name_one_that_runs(monkeypatch):
    monkeypatch.setattr(Device.cuda.runtime, "is_hip", True)
    monkeypatch.setattr(Device.cuda, "is_available", lambda: True, raising=False)
    assert [kind.unavailable() for kind in (GpuOnCpu, TunedOnCpu)] == [None, None]
    assert all("CUDA" in kind.unavailable() and "gpu_tuned" in kind.unavailable() for kind in (GraphOnCpu, FusedOnCpu, LookaheadOnCpu))
    monkeypatch.setattr(Device.cuda, "is_available", lambda: False)
    assert "rocminfo" in GpuOnCpu.unavailable()


@pytest.mark.parametrize(
    ("vendors", "first", "others"),
    [
        (["0x1002\n"], "gpu-rocm", ["webgpu"]),
        (["0x8086"], "webgpu", []),
        (["0x8086", "0x1002"], "gpu-rocm", ["webgpu"]),
        (["0x8086", "0x10de"], None, []),  # CUDA, as usual
        (["0x1234", "not a number"], None, []),
        ([], None, []),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="every Mac has the same GPU")
def test_a_card_that_cuda_does_not_support_gets_its_own_extra(tmp_path, vendors, first, others):
    for number, vendor in enumerate(vendors):
        (tmp_path / f"card{number}" / "device").mkdir(parents=True)
        (tmp_path / f"card{number}" / "device" / "vendor").write_text(vendor)
    (tmp_path / "card0-HDMI-A-1").mkdir()  # a connector
    told = how_to_use_them(makers(tmp_path))
    assert re.findall(r"\[(.+?)\]", told) == ([first, *others] if first else [])


@pytest.mark.parametrize("name", TRAINERS)
def test_an_unavailable_trainer_explains_how_to_enable_it(name):
    reason = unavailable(name)
    assert reason is None or "install" in reason or "nvidia-smi" in reason


@on_the_cpu
def test_a_gpu_peer_without_cupy_is_absent_because_peaks_cannot_be_measured(monkeypatch):
    class Peer(Loop):
        device = "gpu"

    monkeypatch.setattr("tests.impls.test_gpu_seam.Peer", Peer, raising=False)
    assert unavailable("tests.impls.test_gpu_seam:Peer") is None
    assert re.search(r"CuPy.*(pip install|nvidia-smi)", absent("tests.impls.test_gpu_seam:Peer"))


def test_a_driver_too_old_for_pytorch_makes_the_trainer_unavailable():
    program = """
import sys, types, warnings
sys.modules["torch"] = torch = types.SimpleNamespace(nn=None, __version__="2", version=types.SimpleNamespace(cuda="13.0", hip=None))
torch.accelerator = types.SimpleNamespace(is_available=lambda: warnings.warn("The NVIDIA driver is too old") or False)
import impls; print(impls.unavailable("torch_gpu"))"""
    output = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True).stdout
    assert "(The NVIDIA driver is too old)" in output
    assert "`nvidia-smi` must list one, with a driver for CUDA 13.0" in output


class Behind(Loop):
    """Starts its work in a thread and returns at once, as a device does. `_synchronize` waits for it."""

    def _epoch(self, order):
        def work():
            time.sleep(0.1)
            Loop._epoch(self, order)

        self._work = threading.Thread(target=work)
        self._work.start()

    def _synchronize(self):
        if hasattr(self, "_work"):
            self._work.join()


def test_train_epoch_waits_for_work_in_a_thread(small):
    start = Network.scaled([6, 5, 3])
    trainer = Behind(start, small, batch_size=4, learning_rate=1.0)
    began = time.perf_counter()
    trainer.train_epoch(np.arange(len(small)))
    assert time.perf_counter() - began >= 0.1
    assert same_bits(trainer.network(), trained(Loop, start, small, batch_size=4, learning_rate=1.0))
