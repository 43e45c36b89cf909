"""PyTorch's accelerators, without one: what a Mac, Intel's and AMD's builds of PyTorch say."""

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

from impls import Network, Unsupported  # noqa: E402 (after the skip)
from impls.peers import torch_accelerator  # noqa: E402
from impls.peers.torch_compile import TorchCompile  # noqa: E402
from impls.peers.torch_eager import TorchGpu  # noqa: E402
from impls.testing.material import small  # noqa: E402


@pytest.mark.parametrize(
    ("current", "module", "properties", "expected"),
    [
        ("xpu", "xpu", SimpleNamespace(name="Arc B580", driver_version="1.6"), ("Arc B580", "Intel", "", "XPU", "1.6")),
        ("cuda", "cuda", SimpleNamespace(name="H200", is_integrated=False), ("H200", "NVIDIA", "discrete", "CUDA", "")),
    ],
)
def test_the_accelerator_says_what_it_is(monkeypatch, current, module, properties, expected):
    monkeypatch.setattr(torch_accelerator, "CURRENT", current)
    monkeypatch.setattr(getattr(torch, module), "get_device_properties", lambda: properties)
    assert tuple(torch_accelerator.facts()) == expected


def test_on_a_mac_it_is_the_gpu_of_the_processor_and_has_no_float64(monkeypatch):
    monkeypatch.setattr(torch_accelerator, "CURRENT", "mps")
    monkeypatch.setattr(torch.backends.mps, "get_name", lambda: "Apple M2", raising=False)
    assert tuple(torch_accelerator.facts())[:4] == ("Apple M2", "Apple", "integrated", "Metal")
    monkeypatch.setattr(TorchGpu, "where", "mps")
    with pytest.raises(Unsupported, match="no float64; give --dtype float32"):
        TorchGpu(Network.scaled([6, 4, 3], dtype="float64"), small(), batch_size=4, learning_rate=1.0)


@pytest.mark.skipif(bool(TorchCompile.unavailable()), reason=str(TorchCompile.unavailable()))
def test_what_was_compiled_before_does_not_change_what_is_compiled():
    # PyTorch would compile the second job for any size, which is slower.
    from torch._dynamo.utils import counters

    made = []
    for layers, m in (([6, 4, 3], 4), ([6, 5, 3], 7), ([6, 7, 3], 11)):
        before = counters["stats"]["unique_graphs"]
        TorchCompile(Network.scaled(layers), small(), batch_size=m, learning_rate=1.0)
        made.append(counters["stats"]["unique_graphs"] - before)
    assert made == [2, 2, 2]  # a whole mini-batch of the 23 examples, and the last
