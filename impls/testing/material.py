"""Helpers for the checks: small datasets, reference networks, comparisons, and assertions that `python -O` does not remove."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import numpy as np

from impls.dataset import Dataset, mnist
from impls.errors import InputError
from impls.loop import Loop
from impls.network import Array, Network
from impls.trainer import Order, Trainer

DTYPES = ("float32", "float64")


def trained(
    kind: type[Trainer], network: Network, data: Dataset, *, batch_size: int, learning_rate: float = 3.0, order: Order | None = None
) -> Network:
    """Construct a trainer, train one epoch, and return its network.

    order  (n,) integers (default: the order of the data)
    """
    trainer = kind(network, data, batch_size=batch_size, learning_rate=learning_rate)
    trainer.train_epoch(np.arange(len(data)) if order is None else order)
    return trainer.network()


def relative_error(network: Network, right: Network) -> float:
    """Return the largest |p - q| / |q| over the arrays of weights and biases p of `network` and q of `right`; NaN if any is NaN."""
    return float(np.max([np.linalg.norm(p.astype(float) - q) / np.linalg.norm(q) for p, q in pairs(network, right)]))


def same_bits(network: Network, other: Network) -> bool:
    """Return whether all weights and biases are bitwise equal."""
    return all(np.array_equal(p, q) for p, q in pairs(network, other))


def pairs(one: Network, other: Network) -> list[tuple[Array, Array]]:
    """Return pairs of arrays of both networks: first the weights, then the biases."""
    return list(zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True))


def require(holds: bool, otherwise: str) -> None:
    """Raise AssertionError with the text `otherwise` if a condition does not hold, also under `python -O`."""
    if not holds:
        raise AssertionError(otherwise)


def require_input_error(about: str, what: str, action: Callable[[], object]) -> None:
    """Raise AssertionError unless action() raises an InputError whose message matches the pattern `about`."""
    try:
        action()
    except InputError as error:
        require(re.search(about, str(error)) is not None, f"{what} raises InputError({str(error)!r}), which does not match {about!r}")
        return
    raise AssertionError(f"{what} is accepted; it must raise InputError")


def small() -> Dataset:
    """Return a new copy of 23 examples with 6 pixels in 3 classes."""
    rng = np.random.default_rng(7)
    return Dataset(rng.random((23, 6)), rng.integers(0, 3, 23), classes=3)


@functools.cache
def _mnist() -> Dataset:
    return mnist().training


def digits() -> Dataset:
    """Return a copy of the first 200 examples of MNIST."""
    digits = _mnist().first(200)
    return Dataset(digits.images.copy(), digits.labels.copy(), digits.classes, digits.name)


@functools.cache
def digits_by_the_loop() -> Network:
    return trained(Loop, Network.gaussian([784, 30, 10], dtype=np.float64), digits(), batch_size=10)


@functools.cache
def small_by_single_steps(layers: tuple[int, ...], batch_size: int) -> Network:
    """Return the network after an epoch in which the loop trains on each mini-batch as a separate dataset."""
    data, network = small(), Network.scaled(layers, seed=1, dtype=np.float64)
    order = data.order(seed=5)
    for first in range(0, len(data), batch_size):
        examples = order[first : first + batch_size]
        part = Dataset(data.images[examples], data.labels[examples], data.classes)
        network = trained(Loop, network, part, batch_size=len(part))
    return network
