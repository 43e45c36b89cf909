"""The base class of every trainer, with the contract that trainers fulfil."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, final

import numpy as np
import numpy.typing as npt

from impls.accelerator import Accelerator
from impls.dataset import Dataset
from impls.errors import InputError
from impls.network import Network

Order = npt.NDArray[np.integer[Any]]


class Trainer(ABC):
    """Trains a sigmoid network on a dataset by mini-batch stochastic gradient descent, one epoch per call.

    The mathematics is that of Nielsen, chapters 1 and 2: quadratic cost C = 1/(2m) sum |a_L - y|^2 over the m examples of a
    mini-batch, gradients by backpropagation (BP1-BP4), and the step w -> w - eta dC/dw, b -> b - eta dC/db.

    A subclass implements `_setup`, `_set_weights`, `_epoch` and `network`, and also `_synchronize` if its work is asynchronous. The
    bench runs it as `--trainers module:Class`. The project's own trainers also have an entry in `TRAINERS` of impls/__init__.py.
    The public methods validate their arguments. `impls.testing` checks that a trainer keeps the contract below.
    NaN in a weight or bias, or infinity in a weight, spreads to all layers.
    All arithmetic is in the network's dtype. A trainer uses no globals and no random numbers: the same arguments give the same result.
    """

    library: ClassVar[str] = "numpy"
    """The importable package that does the arithmetic; results record its version."""
    device: ClassVar[str] = "cpu"
    """The device that computes: "cpu" or "gpu"."""
    skips_zeros: ClassVar[bool] = False
    """Whether it skips the arithmetic with pixels that are 0, which lowers its floor."""
    chosen_threads: int | None = None
    """The number of threads that it chose to compute with, of those it may use; None: its library chooses. Results record it."""

    # The names of the hooks up to version 0.1. `__init_subclass__` accepts them until version 0.3.
    _renamed: ClassVar[Mapping[str, str]] = {"_place": "_setup", "_load": "_set_weights", "_wait": "_synchronize"}

    @final
    def __init__(self, network: Network, data: Dataset, *, batch_size: int, learning_rate: float) -> None:
        """Upload the data and the weights to the device, compile, and synchronise.

        network        the initial weights and biases; copied
        data           the n examples; copied, not changed
        batch_size     m, examples per mini-batch, 1 or more; an epoch has ceil(n/m) steps, and a shorter last mini-batch
                       is averaged over its own size
        learning_rate  eta, positive and finite

        Raises InputError for invalid arguments, and Unsupported for a case that the trainer does not support.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise InputError(f"batch size {batch_size!r}", "not a positive integer", "give 1 or more")
        if not math.isfinite(learning_rate) or learning_rate <= 0:
            raise InputError(f"learning rate {learning_rate!r}", "not positive and finite", "give a number above 0")
        pixels, outputs = network.layers[0], network.layers[-1]
        if data.images.shape[1] != pixels:
            raise InputError("network", f"{pixels} inputs, but the images have {data.images.shape[1]} pixels", "make them equal")
        if data.classes > outputs:
            raise InputError("network", f"{outputs} outputs, but the labels have {data.classes} classes", "give it one output per class")
        self.layers = network.layers
        self.dtype = network.dtype
        self.examples = len(data)
        self.batch_size = int(batch_size)
        self.learning_rate = float(learning_rate)
        self._setup(data)
        self.load(network)
        self._synchronize()

    @final
    def load(self, network: Network) -> None:
        """Copy this network's weights and biases, and synchronise.

        Raises InputError if its layers or dtype differ from those of the constructor's network.
        """
        if network.layers != self.layers or network.dtype != self.dtype:
            raise InputError(
                "network", f"layers {network.layers}, dtype {network.dtype}", f"this trainer needs layers {self.layers}, dtype {self.dtype}"
            )
        self._set_weights(network)
        self._synchronize()

    @final
    def train_epoch(self, order: Order) -> None:
        """Train for one epoch: one pass over the examples in the given order, in consecutive mini-batches.

        order  (n,) integers on the host, each in range(n)

        Returns when all work is finished, on any device. Raises InputError for an invalid order.
        """
        order = np.asarray(order)
        if order.shape != (self.examples,) or order.dtype.kind not in "iu":
            raise InputError("order", f"shape {order.shape}, dtype {order.dtype}", f"give {self.examples} integers")
        unsigned = order.view(order.dtype.str.replace("i", "u"))  # a negative index becomes a large one
        if unsigned.max() >= self.examples:
            raise InputError("order", f"indices {order.min()}..{order.max()}", f"they must be in 0..{self.examples - 1}")
        self._epoch(order)
        self._synchronize()

    @final
    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Raise TypeError, because a trainer cannot be copied or pickled: some of its arrays are views of others, or on a device."""
        raise TypeError(f"{type(self).__qualname__}: a trainer cannot be copied or pickled; construct another with its network()")

    @property
    def ranks(self) -> int:
        """The number of processes that share every mini-batch; results record it."""
        return 1

    @abstractmethod
    def network(self) -> Network:
        """Return a copy of the current weights and biases, on the host."""

    @classmethod
    def unavailable(cls) -> str | None:
        """Return why this trainer cannot run on this machine, with the command that fixes it, or None if it can run."""
        return None

    @classmethod
    def accelerator(cls) -> Accelerator | None:
        """Return the device beside the processor that computes, as the library names it; None if the processor computes, or unknown."""
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        """Define each hook under both its old and its new name, so that overrides and `super()` work with either name.

        The owner of a hook is the first class in the method resolution order that defines it: the class itself, or a mixin.
        """
        super().__init_subclass__(**options)
        for old, new in cls._renamed.items():
            owner = next((each for each in cls.__mro__ if old in vars(each) or new in vars(each)), Trainer)
            if owner is Trainer:
                continue
            if new not in vars(owner):
                text = f"{cls.__module__}.{cls.__qualname__}.{old}: renamed; call it {new}, before version 0.3 drops the old name"
                warnings.warn(text, DeprecationWarning, stacklevel=3)  # at the class statement, above ABCMeta's frame
                setattr(cls, new, vars(owner)[old])
            elif old not in vars(owner):
                setattr(cls, old, vars(owner)[new])

    @abstractmethod
    def _setup(self, data: Dataset) -> None:
        """Do the work of the constructor: copy the examples to the device, allocate arrays, compile."""

    @abstractmethod
    def _set_weights(self, network: Network) -> None:
        """Copy the weights and biases to the device."""

    @abstractmethod
    def _epoch(self, order: Order) -> None:
        """Do the work of `train_epoch`, or start it asynchronously."""

    def _synchronize(self) -> None:  # noqa: B027 (not abstract: a trainer that computes synchronously does not wait)
        """Wait until all started work is finished."""

    _wait = _synchronize  # for `super()._wait()`, until version 0.3
