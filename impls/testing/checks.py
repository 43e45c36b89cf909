"""The checks of the contract, one function for each requirement."""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from impls.dataset import Dataset
from impls.network import Network
from impls.testing.check import Check, for_each, registered
from impls.testing.material import (
    DTYPES,
    digits,
    digits_by_the_loop,
    pairs,
    relative_error,
    require,
    require_input_error,
    same_bits,
    small,
    small_by_single_steps,
    trained,
)
from impls.trainer import Trainer

# Results


@for_each()
def check_twenty_steps_in_float32(kind: type[Trainer]) -> None:
    """Twenty steps on MNIST in float32 give the weights of the float64 loop, except for rounding."""
    error = relative_error(trained(kind, Network.gaussian([784, 30, 10]), digits(), batch_size=10), digits_by_the_loop())
    require(error < 1e-4, f"differs from the float64 loop by {error:.1e}; rounding explains up to 1e-4")


@for_each()
def check_finite_differences(kind: type[Trainer]) -> None:
    """A step is -eta times the gradient of the cost, computed by finite differences."""
    data, start, eta, h = small(), Network.scaled([6, 5, 4, 3], seed=3, dtype=np.float64), 0.7, 1e-5
    after = trained(kind, start, data, batch_size=len(data), learning_rate=eta)
    for p, q in pairs(start, after):
        for index in np.ndindex(p.shape):
            value = float(p[index])
            p[index] = value + h
            above = start.cost(data)
            p[index] = value - h
            gradient = (above - start.cost(data)) / (2 * h)
            p[index] = value
            step = float(q[index]) - value
            # The error of central differences is of order h^2.
            require(abs(step + eta * gradient) <= 1e-9, f"a step is {step:.9f}; -eta times the gradient is {-eta * gradient:.9f}")


@for_each()
def check_step_by_hand(kind: type[Trainer]) -> None:
    """A step of a network with two inputs, two hidden units and one output matches a calculation by hand."""

    def s(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    start = Network([np.array([[0.1, -0.2], [0.4, 0.3]]), np.array([[0.5, -0.6]])], [np.array([[0.1], [-0.1]]), np.array([[0.2]])])
    x1, x2, eta = 0.5, 0.25, 2.0
    # one example of class 0, so y = 1 at the one output
    h1, h2 = s(0.1 * x1 - 0.2 * x2 + 0.1), s(0.4 * x1 + 0.3 * x2 - 0.1)
    a = s(0.5 * h1 - 0.6 * h2 + 0.2)
    delta = (a - 1) * a * (1 - a)
    delta1, delta2 = 0.5 * delta * h1 * (1 - h1), -0.6 * delta * h2 * (1 - h2)
    right = Network(
        [
            np.array([[0.1 - eta * delta1 * x1, -0.2 - eta * delta1 * x2], [0.4 - eta * delta2 * x1, 0.3 - eta * delta2 * x2]]),
            np.array([[0.5 - eta * delta * h1, -0.6 - eta * delta * h2]]),
        ],
        [np.array([[0.1 - eta * delta1], [-0.1 - eta * delta2]]), np.array([[0.2 - eta * delta]])],
    )
    after = trained(kind, start, Dataset(np.array([[x1, x2]]), np.array([0])), batch_size=1, learning_rate=eta)
    for p, q in pairs(after, right):
        require(bool((np.abs(p - q) <= 1e-12 * np.abs(q)).all()), f"a step ends at {p.ravel().tolist()}; expected {q.ravel().tolist()}")


@for_each(layers=[(6, 3), (6, 4, 3), (6, 5, 4, 7, 3)], batch_size=[1, 5, 22, 23, 24, 1000])
def check_any_depth_and_batch_size(kind: type[Trainer], layers: tuple[int, ...], batch_size: int) -> None:
    """An epoch uses the examples in the given order, in mini-batches of m, and averages a shorter last one over its own size."""
    data = small()
    start = Network.scaled(layers, seed=1, dtype=np.float64)
    after = trained(kind, start, data, batch_size=batch_size, order=data.order(seed=5))
    error = relative_error(after, small_by_single_steps(layers, batch_size))
    require(error < 1e-12, f"differs from the loop on separate mini-batches by {error:.1e}; rounding explains up to 1e-12")


# Copies and state


@for_each(dtype=DTYPES)
def check_inputs_are_copied_and_not_changed(kind: type[Trainer], dtype: str) -> None:
    """A trainer does not change its arguments, and later changes to them do not affect it."""
    given = small()
    images, labels, order = given.images.astype(dtype), given.labels.copy(), given.order(seed=0)
    start = Network.scaled([6, 4, 3], dtype=dtype)
    before = (start.astype(dtype), images.copy(), labels.copy(), order.copy())
    trainer = kind(start, Dataset(images, labels, 3), batch_size=4, learning_rate=3.0)
    trainer.train_epoch(order)
    first = trainer.network()
    require(same_bits(start, before[0]), "changes the given network; it must copy it")
    for name, mine, theirs in zip(("images", "labels", "order"), (images, labels, order), before[1:], strict=True):
        require(np.array_equal(mine, theirs), f"changes the given {name}; it must copy it")

    untouched = before[0].astype(dtype)
    trainer.load(start)
    loaded = trainer.network()
    for array in (images, labels, *(each for network in (start, first, loaded) for each in (*network.weights, *network.biases))):
        array[...] = 0
    trainer.train_epoch(before[3])
    right = trained(kind, untouched, Dataset(before[1], before[2], 3), batch_size=4, order=before[3])
    require(same_bits(trainer.network(), right), "shares arrays with its arguments or with the networks that it returns; it must copy them")


@for_each(dtype=DTYPES)
def check_same_bits_every_time(kind: type[Trainer], dtype: str) -> None:
    """The same arguments give the same bits, in the network's dtype, and `load` restores the start."""
    data, start = small(), Network.scaled([6, 4, 3], dtype=dtype)
    order = data.order(seed=2)
    trainer = kind(start, data, batch_size=4, learning_rate=3.0)
    require(same_bits(trainer.network(), start), "does not start from the given network")
    trainer.train_epoch(order)
    once = trainer.network()
    require(once.dtype == dtype, f"returns {once.dtype} weights for a {dtype} network")
    trainer.train_epoch(order)
    require(not same_bits(trainer.network(), once), "a second epoch changes nothing")
    trainer.load(start)
    trainer.train_epoch(order)
    require(same_bits(trainer.network(), once), "gives other bits after `load` restores the start")
    require(same_bits(trained(kind, start, data, batch_size=4, order=order), once), "gives other bits in a second trainer")


@for_each(dtype=DTYPES)
def check_not_a_number_spreads(kind: type[Trainer], dtype: str) -> None:
    """NaN in a weight or bias, or infinity in a weight, spreads to the weights and biases of all layers, also from a pixel that is 0."""
    data = small()
    data.images[:, 0] = 0
    for layer in range(3):
        for name, value in (("weights", math.nan), ("weights", math.inf), ("biases", math.nan)):
            start = Network.scaled([6, 5, 4, 3], dtype=dtype)
            getattr(start, name)[layer][0, 0] = value
            with np.errstate(invalid="ignore"):
                after = trained(kind, start, data, batch_size=4)
            finite = [bool(np.isfinite(array).all()) for array in (*after.weights, *after.biases)]
            require(not any(finite), f"{value} in the {name} of layer {layer + 1} does not spread to all layers")


@for_each()
def check_copies_are_separate(kind: type[Trainer]) -> None:
    """A deep copy of a trainer trains as the original does and shares no array with it, or copying raises TypeError."""
    data, start = small(), Network.scaled([6, 4, 3])
    order = data.order(seed=2)
    original = kind(start, data, batch_size=4, learning_rate=3.0)
    try:
        other = copy.deepcopy(original)
    except TypeError:
        return
    other.train_epoch(order)
    require(same_bits(original.network(), start), "its deep copy trains the original's arrays")
    require(same_bits(other.network(), trained(kind, start, data, batch_size=4, order=order)), "its deep copy trains differently")


@for_each()
def check_two_trainers_share_nothing(kind: type[Trainer]) -> None:
    """Two trainers whose epochs alternate give the same bits as each one alone."""
    data = small()
    order = data.order(seed=2)
    cases = [(Network.scaled([6, 4, 3], seed=1), 4), (Network.scaled([6, 5, 3], seed=2), 7)]

    def made(start: Network, batch_size: int) -> Trainer:
        return kind(start, data, batch_size=batch_size, learning_rate=3.0)

    separate = []
    for case in cases:
        trainer = made(*case)
        trainer.train_epoch(order)
        trainer.train_epoch(order)
        separate.append(trainer.network())
    alternating = [made(*case) for case in cases]
    for trainer in (*alternating, *alternating):
        trainer.train_epoch(order)
    for right, trainer in zip(separate, alternating, strict=True):
        require(same_bits(trainer.network(), right), "gives other bits if another trainer's epochs alternate with its own")


@for_each()
def check_integer_orders(kind: type[Trainer]) -> None:
    """An order may be of any integer dtype."""
    data, start = small(), Network.scaled([6, 4, 3])
    order = data.order(seed=2)
    right = trained(kind, start, data, batch_size=4, order=order)
    for dtype in ("int32", "uint8", "int64", "uint64"):
        after = trained(kind, start, data, batch_size=4, order=order.astype(dtype))
        require(same_bits(after, right), f"gives other bits for an order of dtype {dtype}")


# Attributes and invalid arguments


@for_each()
def check_facts(kind: type[Trainer]) -> None:
    """The attributes `library`, `device` and `ranks`, which results record, have valid values."""
    require(bool(kind.library) and isinstance(kind.library, str), f"library {kind.library!r}: must be the name of a package")
    require(kind.device in ("cpu", "gpu"), f'device {kind.device!r}: must be "cpu" or "gpu"')
    ranks = kind(Network.scaled([6, 4, 3]), small(), batch_size=4, learning_rate=1.0).ranks
    require(isinstance(ranks, int) and ranks >= 1, f"ranks {ranks!r}: must be a positive integer")


@for_each()
def check_bad_settings_are_refused(kind: type[Trainer]) -> None:
    """A batch size that is not a positive integer, or a learning rate that is not positive and finite, raises InputError."""
    bad: list[dict[str, Any]] = [{"batch_size": size} for size in (0, -1, 2.5, True, "10")]
    bad += [{"learning_rate": eta} for eta in (0.0, -1.0, math.nan, math.inf)]
    for setting in bad:
        arguments: dict[str, Any] = {"batch_size": 4, "learning_rate": 1.0, **setting}
        make = functools.partial(kind, Network.scaled([6, 4, 3]), small(), **arguments)
        require_input_error("batch size|learning rate", str(setting), make)


@for_each()
def check_layers_that_do_not_fit_are_refused(kind: type[Trainer]) -> None:
    """A network raises InputError if its number of inputs is not the number of pixels, or if it has fewer outputs than classes."""
    for layers, about in (((5, 4, 3), "6 pixels"), ((6, 4, 2), "3 classes")):
        make = functools.partial(kind, Network.scaled(layers), small(), batch_size=4, learning_rate=1.0)
        require_input_error(about, f"layers {layers}", make)


@for_each()
def check_bad_orders_are_refused(kind: type[Trainer]) -> None:
    """An order that is not n integers in range(n) raises InputError."""
    trainer = kind(Network.scaled([6, 4, 3]), small(), batch_size=4, learning_rate=1.0)
    bad: dict[str, npt.NDArray[Any]] = {
        "an order that is too short": np.arange(22),
        "an order that is too long": np.arange(24),
        "an order of floats": np.arange(23.0),
        "an order with two dimensions": np.arange(23)[:, None],
        "an order with a negative index": np.arange(-1, 22),
        "an order with an index that is too large": np.arange(1, 24),
        "an order of booleans": np.arange(23) > 3,
    }
    for what, order in bad.items():
        require_input_error("^order: ", what, functools.partial(trainer.train_epoch, order))


@for_each()
def check_other_networks_are_refused(kind: type[Trainer]) -> None:
    """`load` raises InputError for a network with other layers or another dtype."""
    trainer = kind(Network.scaled([6, 4, 3]), small(), batch_size=4, learning_rate=1.0)
    for what, other in {"other layers": Network.scaled([6, 5, 3]), "another dtype": Network.scaled([6, 4, 3], dtype=np.float64)}.items():
        require_input_error("^network: layers .*, dtype ", f"a network with {what}", functools.partial(trainer.load, other))


CHECKS: tuple[Check, ...] = tuple(registered)
"""Every check, in the order of this file."""
