"""What the GPU trainers do on the host, where there is no GPU: on a stand-in for CuPy. And the few tests that need one."""

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
from impls.gpu_graph import STEPS_A_GRAPH, GpuGraph, replays
from impls.loop import Loop
from impls.testing import relative_error, same_bits, trained
from tests.support.fake_cupy import Device
from tests.support.fake_stream import Eager
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import GpuOnCpu, GraphOnCpu, LookaheadOnCpu, TunedOnCpu, UnbuiltFused, UnbuiltGraph, UnbuiltLookahead


def test_the_stand_in_refuses_what_cupy_refuses():
    device, host = Device.array([1.0, 2.0]), np.ones(2)
    for mix in (lambda: device + host, lambda: host * device, lambda: device[np.array([0])]):
        with pytest.raises(TypeError):
            mix()


def launches(kind, layers, steps):
    """The launches of an epoch of that many steps of 4 examples."""
    data = Dataset(np.ones((4 * steps, layers[0])), np.zeros(4 * steps, int), classes=layers[-1])
    trainer = kind(Network.scaled(layers), data, batch_size=4, learning_rate=1.0)
    Device.launches.clear()
    trainer.train_epoch(np.arange(len(data)))
    return Counter(Device.launches)


# For L layers, of each layer a product forward, a backward one for w, and below it one for delta; besides, gpu_tuned has
# gather; activation a layer; cost derivative; sigmoid'(z) a layer; step. And gpu one launch for each operation of matrix.py.
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(
    ("kind", "a_step"),
    [
        pytest.param(GpuOnCpu, lambda depth: 16 * depth + 2, id="gpu"),
        pytest.param(TunedOnCpu, lambda depth: 3 * depth - 1 + 2 * depth + 2, id="gpu_tuned"),
        pytest.param(UnbuiltGraph, lambda depth: max(2 * depth - 1, 2), id="gpu_graph"),
    ],
)
def test_a_step_makes_so_many_launches_and_no_more(kind, a_step, depth):
    layers = [6, *[5] * (depth - 1), 3]
    two, five = (launches(kind, layers, steps) for steps in (2, 5))
    assert (five - two).total() == 3 * a_step(depth), five - two


def test_an_epoch_of_gpu_fused_is_one_launch():
    assert launches(UnbuiltFused, [6, 5, 3], 5) == {"epoch": 1}


def test_an_epoch_of_gpu_lookahead_is_one_launch_and_one_that_prepares_it():
    assert launches(UnbuiltLookahead, [6, 5, 3], 5) == {"prepare": 1, "epoch": 1}


@needs_compiler
@pytest.mark.parametrize("first_steps", [1, 3, 5])
@pytest.mark.parametrize("early", [False, True])
def test_the_later_steps_of_gpu_lookahead_are_prepared_beside_the_first_ones(first_steps, early, small):
    class InTwoParts(LookaheadOnCpu):
        def _setup(self, data):
            super()._setup(data)
            if early:
                self._beside = Eager()

    InTwoParts.first_steps = first_steps  # of six, of which the last one has three examples
    assert launches(InTwoParts, [6, 5, 3], 6) == {"prepare": 2, "epoch": 2}
    start, order = Network.scaled([6, 5, 3], dtype=np.float64), small.order(seed=3)
    right = trained(load_trainer("loop"), start, small, batch_size=4, order=order)
    assert relative_error(trained(InTwoParts, start, small, batch_size=4, order=order), right) < 1e-12


@pytest.mark.parametrize("examples", [1, 9, 10, 11, 10 * STEPS_A_GRAPH, 10 * STEPS_A_GRAPH + 3, 50_000, 50_001])
def test_the_graphs_of_an_epoch_take_every_example_once_in_mini_batches(examples):
    plan = replays(examples, 10)
    taken = [size for sizes, times in plan for _ in range(times) for size in sizes]
    assert taken == [10] * (examples // 10) + [examples % 10] * (examples % 10 > 0)
    assert all(len(sizes) <= STEPS_A_GRAPH + 1 for sizes, _ in plan)
    assert len(plan) <= 2


@needs_compiler
def test_replays_go_on_where_the_one_before_ended(small, monkeypatch):
    monkeypatch.setattr("impls.gpu_graph.STEPS_A_GRAPH", 2)  # 23 examples by 4: two steps replayed twice, then one and a short one
    start, order = Network.scaled([6, 5, 3], dtype=np.float64), small.order(seed=3)
    right = trained(load_trainer("loop"), start, small, batch_size=4, order=order)
    assert relative_error(trained(GraphOnCpu, start, small, batch_size=4, order=order), right) < 1e-12


@needs_compiler
@pytest.mark.parametrize(
    ("choice", "m", "layers", "dtype"),
    [
        *(  # several tiles, and cut off; rows that are quads, and that are not
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
        *(({}, 9, [1100, 11, 13, 2], dtype) for dtype in GpuGraph.tiles),  # several trips of a narrow block
        ({"examples_together": 3}, 200, [9, 37, 12], "float32"),  # not a divisor of the mini-batch; more outputs than are read at once
        ({}, 1, [5, 1], "float32"),
    ],
    ids=str,
)
def test_every_kernel_of_gpu_graph_computes_the_same(choice, m, layers, dtype):
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((m, layers[0])), rng.integers(0, layers[-1], m), classes=layers[-1])
    start = Network.scaled(layers, dtype=dtype)
    right = trained(load_trainer("loop"), start.astype("float64"), data, batch_size=m, learning_rate=0.5)
    kind = type("Chosen", (GraphOnCpu,), choice)
    assert relative_error(trained(kind, start, data, batch_size=m, learning_rate=0.5), right) < {"float32": 1e-5, "float64": 1e-13}[dtype]


on_the_cpu = pytest.mark.skipif(unavailable("gpu") is None, reason="needs a machine without a GPU")


@pytest.mark.parametrize("name", ["gpu", "gpu_tuned", "gpu_graph", "gpu_fused", "gpu_lookahead"])
def test_without_cupy_the_trainer_imports_and_says_how_to_mend_it(name):
    program = f"import sys; sys.modules['cupy'] = None\nfrom impls import load_trainer\nprint(load_trainer({name!r}).unavailable())"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "CuPy is not installed: pip install '.[gpu]'" in output


@pytest.mark.parametrize("name", TRAINERS)
def test_who_cannot_run_here_says_what_would_mend_it(name):
    reason = unavailable(name)
    assert reason is None or "pip install" in reason or "`nvidia-smi` must list one" in reason


@on_the_cpu
def test_a_peer_that_finds_a_gpu_says_before_it_is_timed_that_its_limits_cannot_be_measured(monkeypatch):
    class Peer(Loop):
        device = "gpu"

    monkeypatch.setattr("tests.impls.test_gpu_seam.Peer", Peer, raising=False)
    assert unavailable("tests.impls.test_gpu_seam:Peer") is None
    assert re.search(r"measured with CuPy\. CuPy .*: .*(pip install|nvidia-smi)", absent("tests.impls.test_gpu_seam:Peer"))


def test_a_driver_too_old_for_pytorch_is_a_reason_and_no_error():
    program = """
import sys, types, warnings
sys.modules["torch"] = torch = types.SimpleNamespace(nn=None, __version__="2", version=types.SimpleNamespace(cuda="13.0"))
torch.cuda = types.SimpleNamespace(is_available=lambda: warnings.warn("The NVIDIA driver is too old") or False)
import impls; print(impls.unavailable("torch_gpu"))"""
    output = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True).stdout
    assert "(The NVIDIA driver is too old): `nvidia-smi` must list one, with a driver for CUDA 13.0" in output


class Behind(Loop):
    """Starts its work and returns at once, as a device does; `_synchronize` is all it does about it."""

    def _epoch(self, order):
        def work():
            time.sleep(0.1)
            Loop._epoch(self, order)

        self._work = threading.Thread(target=work)
        self._work.start()

    def _synchronize(self):
        if hasattr(self, "_work"):
            self._work.join()


def test_work_that_was_only_started_is_waited_for_and_timed(small):
    start = Network.scaled([6, 5, 3])
    trainer = Behind(start, small, batch_size=4, learning_rate=1.0)
    began = time.perf_counter()
    trainer.train_epoch(np.arange(len(small)))
    assert time.perf_counter() - began >= 0.1
    assert same_bits(trainer.network(), trained(Loop, start, small, batch_size=4, learning_rate=1.0))
