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
from impls import TRAINERS, Dataset, Network, Unsupported, load_trainer, unavailable
from impls.gpu_fused import BLOCKS, Fit
from impls.gpu_graph import STEPS_A_GRAPH, GpuGraph, replays
from impls.loop import Loop
from tests.impls.test_trainers import distance, same_bits, trained
from tests.support.device import Device, Unbuilt
from tests.support.gpu.variants import one_by_one, stream_of, timed_epoch, with_threads
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import GpuOnCpu, GraphOnCpu, UnbuiltFused, UnbuiltGraph


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


# For L layers, of each layer a product forward, a backward one for w, and below it one for delta; besides
# gather; activation a layer; cost derivative; sigmoid'(z) a layer; step
@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize(
    ("kind", "a_step"),
    [
        pytest.param(GpuOnCpu, lambda depth: 3 * depth - 1 + 2 * depth + 2, id="gpu"),
        pytest.param(UnbuiltGraph, lambda depth: max(2 * depth - 1, 2), id="gpu_graph"),
    ],
)
def test_a_step_makes_so_many_launches_and_no_more(kind, a_step, depth):
    layers = [6, *[5] * (depth - 1), 3]
    two, five = (launches(kind, layers, steps) for steps in (2, 5))
    assert (five - two).total() == 3 * a_step(depth), five - two


def test_an_epoch_of_gpu_fused_is_one_launch():
    assert launches(UnbuiltFused, [6, 5, 3], 5) == {"epoch": 1}


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
    assert distance(trained(GraphOnCpu, start, small, batch_size=4, order=order), right) < 1e-12


@needs_compiler
@pytest.mark.parametrize(
    ("multiprocessors", "m", "layers", "dtype", "kernel"),
    [
        (1, 140, [20, 150, 130, 2], "float32", "<8>"),  # so that the tiles of a product are several, and cut off
        (1, 70, [20, 100, 70, 2], "float64", "<4>"),
        (4, 70, [20, 100, 70, 2], "float32", "<4>"),
        (7, 40, [20, 35, 40, 2], "float32", "<2>"),
        (99, 9, [37, 11, 13, 2], "float32", "narrow"),
        (99, 9, [500, 11, 13, 2], "float64", "narrow"),
    ],
)
def test_every_kernel_of_gpu_graph_computes_the_same(monkeypatch, multiprocessors, m, layers, dtype, kernel):
    monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", multiprocessors)
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((m, layers[0])), rng.integers(0, 2, m), classes=2)
    start = Network.scaled(layers, dtype=dtype)
    right = trained(load_trainer("loop"), start.astype("float64"), data, batch_size=m, learning_rate=0.5)
    Device.launches.clear()
    assert distance(trained(GraphOnCpu, start, data, batch_size=m, learning_rate=0.5), right) < {"float32": 1e-5, "float64": 1e-13}[dtype]
    assert any(launch.startswith("forward") and launch.endswith(kernel) for launch in Device.launches)


on_the_cpu = pytest.mark.skipif(unavailable("gpu") is None, reason="needs a machine without a GPU")
HOPPER = {"clusters": True, "shared_limit": 227 * 1024}


@pytest.mark.parametrize(
    ("layers", "batch_size", "reason"),
    [
        ((784, 10), 10, "one hidden layer; 784-10 has 0"),
        ((784, 30, 30, 10), 10, "one hidden layer; 784-30-30-10 has 2"),
        ((784, 1000, 10), 10, "the weights do not fit the registers"),
        ((784, 30, 10), 1000, "KiB of shared memory"),
    ],
)
def test_gpu_fused_says_what_it_cannot_hold(layers, batch_size, reason):
    with pytest.raises(Unsupported, match=reason):
        Fit.of(layers, batch_size, itemsize=4, **HOPPER)


@pytest.fixture
def wide(monkeypatch):
    """Make gpu_fused for the job `wide` on a device of that capability, with so much shared memory and so many multiprocessors."""
    data = Dataset(np.ones((100, 784)), np.zeros(100, int), classes=10)

    def make(capability, kib=227, multiprocessors=132):
        monkeypatch.setattr(Device.cuda.Device, "compute_capability", capability)
        monkeypatch.setitem(Device.cuda.Device.attributes, "MaxSharedMemoryPerBlockOptin", kib * 1024)
        monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", multiprocessors)
        return UnbuiltFused(Network.scaled([784, 100, 10]), data, batch_size=100, learning_rate=1.0)

    return make


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        (("70",), r"needs compute capability 7\.5"),
        (("75", 64), r"needs \d+ KiB of shared memory a block; this device has 64"),
        (("90", 64), r"needs \d+ KiB of shared memory a block; this device has 64"),
        (("86", 99, 7), "needs 8 multiprocessors; this device has 7"),  # fewer blocks would wait for the others for ever
    ],
)
def test_gpu_fused_says_what_the_device_cannot_hold(wide, device, reason):
    with pytest.raises(Unsupported, match=reason):
        wide(*device)


@pytest.mark.parametrize("capability", ["86", "120"])  # without clusters, with half the mailbox; with clusters, but fewer threads
def test_the_job_wide_fits_99_kib(wide, capability):
    wide(capability, 99)


@pytest.mark.parametrize(("capability", "together"), [("80", {"epoch"}), ("90", set())])
def test_blocks_that_wait_for_one_another_run_together_by_launch_or_by_cluster(wide, capability, together, monkeypatch):
    monkeypatch.setattr(Device, "together", set())
    wide(capability).train_epoch(np.arange(100))
    assert Device.together == together


def test_gpu_fused_asks_for_the_shared_memory_that_it_uses(wide):
    trainer = wide("90")
    assert Fit.of((784, 100, 10), 100, 4, **HOPPER).shared_bytes > 48 * 1024  # what a kernel gets without asking
    trainer.train_epoch(np.arange(100))  # the stand-in refuses more than was asked for


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("hidden", [1, 8, 30, 100])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 60])
def test_a_fit_has_room_for_every_example_and_is_within_the_limits(batch_size, hidden, itemsize):
    fit = Fit.of((784, hidden, 10), batch_size, itemsize, **HOPPER)
    assert batch_size <= fit.chunk * fit.chunks < batch_size + fit.chunks
    assert fit.shared_bytes <= HOPPER["shared_limit"]
    assert fit.threads % 32 == 0
    assert fit.macros((784, hidden, 10))["BLOCKS"] == BLOCKS


def test_a_fit_has_fewer_threads_where_more_need_too_much_shared_memory():
    most, chosen = (Fit.of((784, 100, 10), 200, 4, clusters=True, shared_limit=limit) for limit in (2**20, HOPPER["shared_limit"]))
    assert (most.threads, chosen.threads) == (256, 128)
    assert chosen.shared_bytes <= HOPPER["shared_limit"] < most.shared_bytes


def test_an_experiment_may_choose_the_number_of_threads():
    data = Dataset(np.ones((100, 784)), np.zeros(100, int), classes=10)
    with_threads(UnbuiltFused, 192)(Network.scaled([784, 100, 10]), data, batch_size=100, learning_rate=1.0)
    assert "-DTHREADS=192" in Unbuilt.asked[1]


def test_the_nielsen_job_is_one_chunk_so_that_an_image_is_read_once():
    assert Fit.of((784, 30, 10), 10, 4, **HOPPER).chunks == 1


@pytest.mark.parametrize("name", ["gpu", "gpu_graph", "gpu_fused"])
def test_without_cupy_the_trainer_imports_and_says_how_to_mend_it(name):
    program = f"import sys; sys.modules['cupy'] = None\nfrom impls import load_trainer\nprint(load_trainer({name!r}).unavailable())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "CuPy is not installed: pip install '.[gpu]'" in told


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
    told = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True).stdout
    assert "(The NVIDIA driver is too old): `nvidia-smi` must list one, with a driver for CUDA 13.0" in told


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


# What needs a device

NAMES = ["gpu", "gpu_graph", "gpu_fused"]
on_device = pytest.mark.skipif(load_trainer("gpu").unavailable() is not None, reason=str(load_trainer("gpu").unavailable()))


def on_the_device(name, mnist):
    start = Network.gaussian([784, 30, 10])
    trainer = load_trainer(name)(start, mnist.training, batch_size=10, learning_rate=3.0)
    return trainer, start, mnist.training.order(seed=0)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_train_epoch_returns_when_the_device_has_finished(name, mnist):
    trainer, _, order = on_the_device(name, mnist)
    trainer.train_epoch(order)
    assert stream_of(trainer).done


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_wall_time_is_the_devices_own_within_5_percent(name, mnist):
    trainer, _, order = on_the_device(name, mnist)
    trainer.train_epoch(order)
    epochs = [timed_epoch(trainer, order) for _ in range(7)]
    assert np.median([epoch.events / epoch.wall for epoch in epochs]) == pytest.approx(1, abs=0.05)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_a_trainer_that_returns_at_once_is_still_waited_for(name, mnist, monkeypatch):
    trainer, start, order = on_the_device(name, mnist)
    trainer.train_epoch(order)
    right = trainer.network()
    stream = stream_of(trainer)
    trainer.load(start)
    trainer._epoch(order)  # all that the author of a trainer writes: it starts the work
    if name != "gpu":
        assert not stream.done
    trainer._synchronize()
    assert same_bits(trainer.network(), right)

    monkeypatch.setattr(type(trainer), "_synchronize", lambda self: None)  # without it, the harness would time the start alone
    began = time.perf_counter()
    trainer.train_epoch(order)
    early = time.perf_counter() - began
    stream.synchronize()
    if name != "gpu":
        assert early < (time.perf_counter() - began) / 2


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_on_the_device_has_the_same_bits_every_time(name, mnist):
    trainer, start, order = on_the_device(name, mnist)
    results = []
    for _ in range(5):
        trainer.load(start)
        trainer.train_epoch(order)
        results.append(trainer.network())
    assert all(same_bits(result, results[0]) for result in results)


@pytest.mark.gpu
@on_device
def test_kernels_that_overlap_give_the_same_bits_as_one_after_the_other(mnist):
    import cupy

    if int(cupy.cuda.Device().compute_capability) < 90:
        pytest.skip("needs compute capability 9.0")

    start, order, results = Network.gaussian([784, 30, 10]), mnist.training.order(seed=0), []
    for kind, overlaps in ((GpuGraph, True), (one_by_one(GpuGraph), False)):
        trainer = kind(start, mnist.training, batch_size=10, learning_rate=3.0)
        assert trainer._overlaps == overlaps  # the driver has taken the launches
        trainer.train_epoch(order)
        results.append(trainer.network())
    assert same_bits(*results)
