"""Trainers in JAX: the gradient from `jax.grad`, and an epoch as one compiled `lax.scan` over the mini-batches."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import Any, ClassVar

# By default JAX reserves three quarters of a GPU's memory, which other trainers need. Only allocation changes, which is not timed.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
from jax import experimental

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.extras import install
from impls.graphics_cards import how_to_use_them
from impls.network import Network
from impls.programs import pip
from impls.trainer import Order, Trainer


class JaxCpu(Trainer):
    """Trains an epoch in one call of a compiled function. JAX fuses operations across it and updates the weights in place.

    The constructor compiles. Weights have shape (n_l, n_{l-1}): on the processors tried, an epoch with x @ w.T is 7 to 35 % faster
    than one with x @ w and weights of shape (n_{l-1}, n_l).
    """

    library = "jax"
    platform: ClassVar[str] = "cpu"
    mend: ClassVar[str] = install("peers")

    @classmethod
    def unavailable(cls) -> str | None:
        if jax.config.jax_disable_jit:
            return "JAX: JAX_DISABLE_JIT turns off compilation; unset it"
        try:
            jax.devices(cls.platform)
        except RuntimeError as error:
            return f"JAX: no {cls.platform} device ({str(error).splitlines()[0]}); {cls.mend}"
        return None

    def _setup(self, data: Dataset) -> None:
        self._device = jax.devices(self.platform)[0]
        with self._settings():
            self._x = jax.device_put(data.images.astype(self.dtype), self._device)  # (n, n_0)
            self._y = jax.device_put(data.one_hot(self.layers[-1], self.dtype), self._device)  # (n, n_L)
            start = self._parameters_of(Network.scaled(self.layers, dtype=self.dtype))
            order = jax.device_put(np.zeros(self.examples, np.int32), self._device)
            epoch = partial(_epoch, batch_size=self.batch_size, learning_rate=self.learning_rate)
            self._compiled = jax.jit(epoch, donate_argnums=0).lower(start, self._x, self._y, order).compile()

    def _set_weights(self, network: Network) -> None:
        with self._settings():
            self._parameters = self._parameters_of(network)

    def network(self) -> Network:
        with self._settings():
            read = jax.tree.map(jnp.copy, self._parameters)  # a copy, because JAX caches on the host what it has read from an array
        return Network([np.asarray(w) for w, _ in read], [np.asarray(b)[:, np.newaxis] for _, b in read])

    def _epoch(self, order: Order) -> None:
        with self._settings():
            order = jax.device_put(order.astype(np.int32), self._device)
            self._parameters = self._compiled(self._parameters, self._x, self._y, order)

    def _synchronize(self) -> None:
        jax.block_until_ready((self._parameters, self._x, self._y))

    def _parameters_of(self, network: Network) -> Any:
        """Return [(w, b), ...] on the device, with w of shape (n_l, n_{l-1}) and b of shape (n_l,)."""
        pairs = [(w, b[:, 0]) for w, b in zip(network.weights, network.biases, strict=True)]
        return jax.tree.map(jnp.copy, jax.device_put(pairs, self._device))  # a copy: a CPU's device_put may share the host's memory

    @contextlib.contextmanager
    def _settings(self) -> Any:
        """Enable float64 for a float64 network, and disable TF32, which JAX uses by default for products on a GPU."""
        with _enable_x64(self.dtype == np.float64), jax.default_matmul_precision("highest"):
            yield


class JaxGpu(JaxCpu):
    """`JaxCpu` on JAX's first GPU."""

    device = "gpu"
    platform = "gpu"
    mend = (
        f"there are other trainers {how_to_use_them()}"
        if how_to_use_them()
        else f"{pip()} install 'jax[cuda13]' (CUDA 13) or 'jax[cuda12]'"
    )

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        device = jax.devices(cls.platform)[0]
        vendor, backend = ("AMD", "ROCm") if "rocm" in device.client.platform_version.lower() else ("NVIDIA", "CUDA")
        return Accelerator(device.device_kind, vendor, backend=backend)


def _enable_x64(enabled: bool) -> Any:
    """Return a context in which JAX's arrays may be float64. JAX 0.8 moved this function; JAX 0.9 removed the old name."""
    return jax.enable_x64(enabled) if hasattr(jax, "enable_x64") else experimental.enable_x64(enabled)


def _cost(parameters: Any, x: Any, y: Any) -> Any:
    """Return the quadratic cost C = 1/(2m) sum |a_L - y|^2 of m examples."""
    a = x
    for w, b in parameters:
        a = jax.nn.sigmoid(a @ w.T + b)  # (m, n_l)
    return jnp.sum((a - y) ** 2) / (2 * len(x))


def _epoch(parameters: Any, x: Any, y: Any, order: Any, *, batch_size: int, learning_rate: float) -> Any:
    def step(parameters: Any, examples: Any) -> tuple[Any, None]:
        nabla = jax.grad(_cost)(parameters, x[examples], y[examples])
        return jax.tree.map(lambda p, n: p - learning_rate * n, parameters, nabla), None

    whole = len(order) // batch_size * batch_size
    if whole:
        parameters, _ = jax.lax.scan(step, parameters, order[:whole].reshape(-1, batch_size))
    if whole < len(order):  # the short last mini-batch
        parameters, _ = step(parameters, order[whole:])
    return parameters
