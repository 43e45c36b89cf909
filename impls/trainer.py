"""The one interface of every trainer, with its whole contract."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from impls.dataset import Dataset
from impls.errors import InputError
from impls.network import Network

Order = npt.NDArray[np.integer[Any]]


class Trainer(ABC):
    """Trains a sigmoid network on a dataset by mini-batch stochastic gradient descent, an epoch at a time.

    The mathematics is Nielsen's, chapters 1 and 2: quadratic cost C = 1/(2m) sum |a_L - y|^2 over the m examples of a
    mini-batch, gradients by backpropagation (BP1-BP4), and the step w -> w - eta dC/dw, b -> b - eta dC/db.

    To write one, implement `_setup`, `_set_weights`, `_epoch` and `network`, and `_synchronize` if the work is asynchronous. The bench
    runs it as `--trainers module:Class`; one of the project's own is also named in `TRAINERS` of impls/__init__.py.
    The public methods check what they are given and hold the promises below for every trainer alike; `impls.testing` checks them.
    All arithmetic is in the network's dtype. No globals, no seeds inside: the same arguments give the same result.
    """

    library: ClassVar[str] = "numpy"
    """The importable package that does the arithmetic; results record its version."""
    device: ClassVar[str] = "cpu"
    """Where it computes: "cpu" or "gpu"."""
    skips_zeros: ClassVar[bool] = False
    """Whether it does no arithmetic with pixels that are 0; its least work is less then."""

    # The hooks' names up to version 0.1, which `__init_subclass__` accepts until version 0.3.
    _renamed: ClassVar[Mapping[str, str]] = {"_place": "_setup", "_load": "_set_weights", "_wait": "_synchronize"}

    @final
    def __init__(self, network: Network, data: Dataset, *, batch_size: int, learning_rate: float) -> None:
        """Put everything where the trainer computes, compile what is to be compiled, and return with nothing pending.

        network        where training starts; copied
        data           the examples, n of them; copied, never changed
        batch_size     m, examples a mini-batch, 1 or more; n examples make ceil(n/m) steps, and the last mini-batch,
                       if it is short, is averaged over its own size
        learning_rate  eta, positive

        Raises InputError for arguments that do not fit, Unsupported for a case this trainer was not made for.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, (int, np.integer)) or batch_size < 1:
            raise InputError(f"batch size {batch_size!r}: it must be a whole number, 1 or more")
        if not math.isfinite(learning_rate) or learning_rate <= 0:
            raise InputError(f"learning rate {learning_rate!r}: it must be a positive number")
        pixels, outputs = network.layers[0], network.layers[-1]
        if data.images.shape[1] != pixels:
            raise InputError(f"the images have {data.images.shape[1]} pixels, the network's first layer {pixels}: they must be equal")
        if data.classes > outputs:
            raise InputError(f"the labels have {data.classes} classes, the network's last layer {outputs} units: it needs one for each")
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
        """Go on from these weights, copied. Raises InputError if the layers or the dtype are not the constructor's."""
        if network.layers != self.layers or network.dtype != self.dtype:
            raise InputError(f"a network {network.layers} of {network.dtype} given to a trainer of {self.layers} in {self.dtype}")
        self._set_weights(network)
        self._synchronize()

    @final
    def train_epoch(self, order: Order) -> None:
        """Take one pass over the examples in the given order, cut into consecutive mini-batches.

        order  (n,) integers on the host, each in range(n); the same for every trainer

        On return all the work is finished, on any device. Raises InputError for an order that does not fit.
        """
        order = np.asarray(order)
        if order.shape != (self.examples,) or order.dtype.kind not in "iu":
            raise InputError(f"an order of shape {order.shape}, dtype {order.dtype}: it must hold {self.examples} whole numbers")
        if order.min() < 0 or order.max() >= self.examples:
            raise InputError(f"an order that names examples {order.min()} to {order.max()}: there are only 0 to {self.examples - 1}")
        self._epoch(order)
        self._synchronize()

    @property
    def ranks(self) -> int:
        """How many processes share every mini-batch; results record it."""
        return 1

    @abstractmethod
    def network(self) -> Network:
        """Return the weights and biases as they are now, a copy on the host."""

    @classmethod
    def unavailable(cls) -> str | None:
        """Return why this trainer cannot run on this machine, with the command that would mend it, or None if it can."""
        return None

    def __init_subclass__(cls, **options: Any) -> None:
        """Give each hook that the class defines under one name the other name too, so that overrides and `super()` work by both.

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
        """Copy the examples to where the trainer computes, allocate, compile: all that is done once."""

    @abstractmethod
    def _set_weights(self, network: Network) -> None:
        """Copy the weights and biases to where the trainer computes."""

    @abstractmethod
    def _epoch(self, order: Order) -> None:
        """Do the work of `train_epoch`, or start it."""

    def _synchronize(self) -> None:  # noqa: B027 (empty on purpose: a trainer that computes as it is called has nothing to wait for)
        """Return when the work that was started is done."""

    _wait = _synchronize  # for `super()._wait()`, until version 0.3
