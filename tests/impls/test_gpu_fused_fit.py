"""Which networks and mini-batches gpu_fused can hold, and with how many threads."""

import numpy as np
import pytest

from impls import Dataset, Network, Unsupported
from impls.gpu_fused import BLOCKS, FusedFit
from tests.support.fake_cupy import Device, Unbuilt
from tests.support.gpu.variants import with_threads
from tests.support.trainers_on_cpu import UnbuiltFused

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
        FusedFit.of(layers, batch_size, itemsize=4, **HOPPER)


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
    assert FusedFit.of((784, 100, 10), 100, 4, **HOPPER).shared_bytes > 48 * 1024  # what a kernel gets without asking
    trainer.train_epoch(np.arange(100))  # the stand-in refuses more than was asked for


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("hidden", [1, 8, 30, 100])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 60])
def test_a_fit_has_room_for_every_example_and_is_within_the_limits(batch_size, hidden, itemsize):
    fit = FusedFit.of((784, hidden, 10), batch_size, itemsize, **HOPPER)
    assert batch_size <= fit.chunk * fit.chunks < batch_size + fit.chunks
    assert fit.shared_bytes <= HOPPER["shared_limit"]
    assert fit.threads % 32 == 0
    assert fit.macros((784, hidden, 10))["BLOCKS"] == BLOCKS


def test_a_fit_has_fewer_threads_where_more_need_too_much_shared_memory():
    most, chosen = (FusedFit.of((784, 100, 10), 200, 4, clusters=True, shared_limit=limit) for limit in (2**20, HOPPER["shared_limit"]))
    assert (most.threads, chosen.threads) == (224, 192)
    assert chosen.shared_bytes <= HOPPER["shared_limit"] < most.shared_bytes


def test_an_experiment_may_choose_the_number_of_threads():
    data = Dataset(np.ones((100, 784)), np.zeros(100, int), classes=10)
    with_threads(UnbuiltFused, 192)(Network.scaled([784, 100, 10]), data, batch_size=100, learning_rate=1.0)
    assert "-DTHREADS=192" in Unbuilt.asked[1]


def test_the_nielsen_job_is_one_chunk_so_that_an_image_is_read_once():
    assert FusedFit.of((784, 30, 10), 10, 4, **HOPPER).chunks == 1
