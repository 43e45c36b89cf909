"""What checks are made of: small data, trained networks, comparisons, and failures that `python -O` keeps."""

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
    """Train a new trainer for one epoch and return its network. The order is that of the data unless given."""
    trainer = kind(network, data, batch_size=batch_size, learning_rate=learning_rate)
    trainer.train_epoch(np.arange(len(data)) if order is None else order)
    return trainer.network()


def relative_error(network: Network, right: Network) -> float:
    """Return |p - q| / |q| for the weights or biases p that are furthest from the right ones, q. NaN if any is."""
    return float(np.max([np.linalg.norm(p.astype(float) - q) / np.linalg.norm(q) for p, q in pairs(network, right)]))


def same_bits(network: Network, other: Network) -> bool:
    """Return whether all weights and biases are equal to the last bit."""
    return all(np.array_equal(p, q) for p, q in pairs(network, other))


def pairs(one: Network, other: Network) -> list[tuple[Array, Array]]:
    """Return the weights, then the biases, of both networks side by side."""
    return list(zip((*one.weights, *one.biases), (*other.weights, *other.biases), strict=True))


def require(holds: bool, otherwise: str) -> None:
    """Raise AssertionError, also under `python -O`."""
    if not holds:
        raise AssertionError(otherwise)


def require_input_error(about: str, what: str, action: Callable[[], object]) -> None:
    try:
        action()
    except InputError as error:
        require(re.search(about, str(error)) is not None, f"refuses {what} with {str(error)!r}, which does not match {about!r}")
        return
    raise AssertionError(f"accepts {what}; it must raise InputError")


def small() -> Dataset:
    """Return twenty-three examples of six pixels in three classes, new ones at every call."""
    rng = np.random.default_rng(7)
    return Dataset(rng.random((23, 6)), rng.integers(0, 3, 23), classes=3)


@functools.cache
def _mnist() -> Dataset:
    return mnist().training


def digits() -> Dataset:
    """Return the first 200 digits of MNIST, a copy."""
    digits = _mnist().first(200)
    return Dataset(digits.images.copy(), digits.labels.copy(), digits.classes, digits.name)


@functools.cache
def digits_by_the_loop() -> Network:
    return trained(Loop, Network.gaussian([784, 30, 10], dtype=np.float64), digits(), batch_size=10)


@functools.cache
def small_by_single_steps(layers: tuple[int, ...], batch_size: int) -> Network:
    """Return where an epoch leads if the loop takes every mini-batch as a dataset of its own."""
    data, network = small(), Network.scaled(layers, seed=1, dtype=np.float64)
    order = data.order(seed=5)
    for first in range(0, len(data), batch_size):
        examples = order[first : first + batch_size]
        part = Dataset(data.images[examples], data.labels[examples], data.classes)
        network = trained(Loop, network, part, batch_size=len(part))
    return network
