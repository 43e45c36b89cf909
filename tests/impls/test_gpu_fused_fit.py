"""Tests of the networks, mini-batches and devices that gpu_fused supports, and of its number of threads."""

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
        ((784, 1000, 10), 10, "784-1000-10 do not fit the registers"),
        ((784, 30, 10), 1000, "784-30-10, batch 1000, needs .* KiB of shared memory"),
    ],
)
def test_gpu_fused_gives_the_reason_for_an_unsupported_job(layers, batch_size, reason):
    with pytest.raises(Unsupported, match=reason):
        FusedFit.of(layers, batch_size, itemsize=4, **HOPPER)


@pytest.fixture
def wide(monkeypatch):
    """A function that constructs gpu_fused for the job `wide` on a stand-in device with this capability, shared memory in KiB, and
    number of multiprocessors."""
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
        (("75", 64), r"needs \d+ KiB of shared memory per block; this device has 64"),
        (("90", 64), r"needs \d+ KiB of shared memory per block; this device has 64"),
        (("86", 99, 7), "needs 8 multiprocessors; this device has 7"),  # with fewer, the blocks would deadlock
    ],
)
def test_gpu_fused_gives_the_reason_for_an_unsupported_device(wide, device, reason):
    with pytest.raises(Unsupported, match=reason):
        wide(*device)


@pytest.mark.parametrize("capability", ["86", "120"])  # without clusters, with half the mailbox; with clusters, but fewer threads
def test_the_job_wide_fits_99_kib(wide, capability):
    wide(capability, 99)


@pytest.mark.parametrize(("capability", "together"), [("80", {"epoch"}), ("90", set())])
def test_the_launch_is_cooperative_only_without_clusters(wide, capability, together, monkeypatch):
    monkeypatch.setattr(Device, "together", set())
    wide(capability).train_epoch(np.arange(100))
    assert Device.together == together


def test_gpu_fused_requests_the_shared_memory_that_it_uses(wide):
    trainer = wide("90")
    assert FusedFit.of((784, 100, 10), 100, 4, **HOPPER).shared_bytes > 48 * 1024  # the default limit of a kernel
    trainer.train_epoch(np.arange(100))  # the stand-in refuses a launch that needs more than the trainer requested


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("hidden", [1, 8, 30, 100])
@pytest.mark.parametrize("batch_size", [1, 7, 10, 60])
def test_a_fit_covers_every_example_within_the_limits(batch_size, hidden, itemsize):
    fit = FusedFit.of((784, hidden, 10), batch_size, itemsize, **HOPPER)
    assert batch_size <= fit.chunk * fit.chunks < batch_size + fit.chunks
    assert fit.shared_bytes <= HOPPER["shared_limit"]
    assert fit.threads % 32 == 0
    assert fit.macros((784, hidden, 10))["BLOCKS"] == BLOCKS


def test_a_fit_has_fewer_threads_if_more_need_too_much_shared_memory():
    most, chosen = (FusedFit.of((784, 100, 10), 200, 4, clusters=True, shared_limit=limit) for limit in (2**20, HOPPER["shared_limit"]))
    assert (most.threads, chosen.threads) == (224, 192)
    assert chosen.shared_bytes <= HOPPER["shared_limit"] < most.shared_bytes


def test_a_subclass_can_set_the_number_of_threads():
    data = Dataset(np.ones((100, 784)), np.zeros(100, int), classes=10)
    with_threads(UnbuiltFused, 192)(Network.scaled([784, 100, 10]), data, batch_size=100, learning_rate=1.0)
    assert "-DTHREADS=192" in Unbuilt.asked[1]


def test_the_nielsen_job_is_one_chunk_so_that_the_kernel_reads_an_image_once():
    assert FusedFit.of((784, 30, 10), 10, 4, **HOPPER).chunks == 1
