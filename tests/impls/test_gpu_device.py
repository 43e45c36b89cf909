"""Tests of the GPU trainers on a device: synchronisation, the device's clock, and reproducible results. Run with -m gpu."""

import time

import numpy as np
import pytest

from impls import Network, load_trainer
from impls.gpu_graph import GpuGraph
from impls.testing import same_bits
from tests.support.gpu.variants import one_by_one, stream_of, timed_epoch

NAMES = ["gpu", "gpu_graph", "gpu_fused", "gpu_lookahead"]
on_device = pytest.mark.skipif(load_trainer("gpu").unavailable() is not None, reason=str(load_trainer("gpu").unavailable()))


def on_the_device(name, mnist):
    """Return a trainer for the job `nielsen`, its initial network, and an order."""
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
def test_wall_time_agrees_with_the_devices_clock_within_5_percent(name, mnist):
    trainer, _, order = on_the_device(name, mnist)
    trainer.train_epoch(order)
    epochs = [timed_epoch(trainer, order) for _ in range(7)]
    assert np.median([epoch.events / epoch.wall for epoch in epochs]) == pytest.approx(1, abs=0.05)


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_train_epoch_waits_for_asynchronous_work(name, mnist, monkeypatch):
    trainer, start, order = on_the_device(name, mnist)
    trainer.train_epoch(order)
    right = trainer.network()
    stream = stream_of(trainer)
    trainer.load(start)
    trainer._epoch(order)  # starts the work asynchronously
    if name != "gpu":
        assert not stream.done
    trainer._synchronize()
    assert same_bits(trainer.network(), right)

    monkeypatch.setattr(type(trainer), "_synchronize", lambda self: None)  # without it, a measurement would end too early
    began = time.perf_counter()
    trainer.train_epoch(order)
    early = time.perf_counter() - began
    stream.synchronize()
    if name != "gpu":
        assert early < (time.perf_counter() - began) / 2


@pytest.mark.gpu
@on_device
@pytest.mark.parametrize("name", NAMES)
def test_an_epoch_on_the_device_gives_the_same_bits_every_time(name, mnist):
    trainer, start, order = on_the_device(name, mnist)
    results = []
    for _ in range(5):
        trainer.load(start)
        trainer.train_epoch(order)
        results.append(trainer.network())
    assert all(same_bits(result, results[0]) for result in results)


@pytest.mark.gpu
@on_device
def test_kernels_give_the_same_bits_with_and_without_overlap(mnist):
    import cupy

    if int(cupy.cuda.Device().compute_capability) < 90:
        pytest.skip("needs compute capability 9.0")

    start, order, results = Network.gaussian([784, 30, 10]), mnist.training.order(seed=0), []
    for kind, overlaps in ((GpuGraph, True), (one_by_one(GpuGraph), False)):
        trainer = kind(start, mnist.training, batch_size=10, learning_rate=3.0)
        assert trainer._overlaps == overlaps  # the driver accepted the launches
        trainer.train_epoch(order)
        results.append(trainer.network())
    assert same_bits(*results)
