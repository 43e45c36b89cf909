"""Tests of impls/peers/jax_scan.py with the APIs of several JAX versions."""

import numpy as np
import pytest

from impls import Dataset, Network

jax = pytest.importorskip("jax")
experimental = pytest.importorskip("jax.experimental")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_trains_with_a_jax_whose_enable_x64_is_experimental(dtype, monkeypatch):
    from impls.peers.jax_scan import JaxCpu

    if hasattr(jax, "enable_x64"):  # JAX 0.8 or newer; the test moves the function back to its old place
        monkeypatch.setitem(vars(experimental), "enable_x64", jax.enable_x64)  # setattr would read it first, and JAX 0.8 would warn
        monkeypatch.delattr(jax, "enable_x64")
    data = Dataset(np.random.default_rng(0).random((12, 20)), np.arange(12) % 10)
    network = Network.gaussian([20, 5, 10], seed=0, dtype=dtype)
    trainer = JaxCpu(network, data, batch_size=5, learning_rate=3.0)
    trainer.train_epoch(np.arange(12))
    assert {w.dtype for w in trainer.network().weights} == {np.dtype(dtype)}
    assert all(not np.array_equal(w, start) for w, start in zip(trainer.network().weights, network.weights, strict=True))
