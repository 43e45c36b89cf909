"""Tests of the networks, mini-batches and devices that gpu_lookahead supports, and of its number of blocks."""

import numpy as np
import pytest

from impls import Dataset, Network, Unsupported
from impls.gpu_lookahead import LookaheadFit
from tests.support.fake_cupy import Device
from tests.support.trainers_on_cpu import UnbuiltLookahead

HOPPER = 227 * 1024  # bytes of shared memory of a block


def trainer(layers=(784, 30, 10), batch_size=10, dtype="float32"):
    data = Dataset(np.ones((batch_size, layers[0])), np.zeros(batch_size, int), classes=layers[-1])
    return UnbuiltLookahead(Network.scaled(layers, dtype=dtype), data, batch_size=batch_size, learning_rate=1.0)


@pytest.mark.parametrize(
    ("layers", "batch_size", "reason"),
    [
        ((784, 10), 10, "one hidden layer; 784-10 has 0"),
        ((784, 30, 30, 10), 10, "one hidden layer; 784-30-30-10 has 2"),
        ((784, 30, 10), 33, "batch 33 is larger than 32; use gpu_graph"),
        ((784, 1000, 10), 10, "784-1000-10, batch 10, does not fit the registers"),
        ((784, 100, 10), 13, "KiB of shared memory per block; this device has 227"),
    ],
)
def test_gpu_lookahead_gives_the_reason_for_an_unsupported_job(layers, batch_size, reason):
    with pytest.raises(Unsupported, match=reason):
        trainer(layers, batch_size)


def test_a_device_without_clusters_is_unsupported(monkeypatch):
    monkeypatch.setattr(Device.cuda.Device, "compute_capability", "89")
    with pytest.raises(Unsupported, match=r"needs compute capability 9\.0; this device has 8\.9"):
        trainer()


@pytest.mark.parametrize(("most", "blocks"), [(16, 14), (14, 14), (13, 8), (8, 8)])
def test_the_cluster_is_the_first_size_that_the_device_supports(most, blocks, monkeypatch):
    monkeypatch.setattr(Device.cuda.driver, "most_blocks", most)
    assert trainer()._fit.blocks == blocks


def test_fewer_blocks_are_used_if_more_need_too_much_shared_memory():
    with pytest.raises(Unsupported, match="KiB of shared memory"):
        LookaheadFit.of((784, 100, 10), 10, 4, 14, HOPPER)
    assert trainer((784, 100, 10))._fit.blocks == 8


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("hidden", [1, 16, 30])
@pytest.mark.parametrize("batch_size", [1, 7, 10])
def test_a_fit_is_within_the_limits(batch_size, hidden, itemsize):
    fit = LookaheadFit.of((784, hidden, 10), batch_size, itemsize, 8, HOPPER)
    assert fit.shared_bytes <= HOPPER
    assert fit.threads % 32 == 0
    assert 32 <= fit.threads <= 1024
    assert fit.inputs * itemsize % 16 == 0
