"""Trainers that break the contract in another way than wrong weights."""

import os
import sys
from typing import ClassVar

import numpy as np
import pytest

from impls import Network
from impls.loop import Loop
from impls.matrix import Matrix


class Raises(Matrix):
    def _epoch(self, order):
        raise ZeroDivisionError("on purpose")


class Exits(Matrix):
    def _epoch(self, order):
        sys.exit(3)


class ExitsWithWords(Matrix):
    def _epoch(self, order):
        sys.exit("not today")


class ExitsAtOnce(Matrix):
    def _epoch(self, order):
        os._exit(0)


class StopsTheRun(Matrix):
    def _epoch(self, order):
        pytest.exit("enough", returncode=0)


class Greedy(Matrix):
    def _epoch(self, order):
        np.empty(1 << 60, np.uint8)


class ChangesImages(Matrix):
    def _setup(self, data):
        data.images[...] -= 0.5
        super()._setup(data)


class ChangesOrder(Matrix):
    def _epoch(self, order):
        super()._epoch(order)
        order.sort()


class ChangesTheStart(Loop):
    def _set_weights(self, network):
        super()._set_weights(network)
        network.weights[0][...] = 0


class KeepsImages(Loop):
    def _setup(self, data):
        super()._setup(data)
        self._x = data.images[:, :, np.newaxis]


class GivesItsWeightsAway(Loop):
    def network(self):
        network = super().network()
        network.weights[:] = self._weights
        return network


class GoesOnAfterLoad(Loop):
    def _set_weights(self, network):
        if not hasattr(self, "_weights"):
            super()._set_weights(network)


class ChangesItsAnswer(Matrix):
    right, epochs = 2, 0

    def _epoch(self, order):
        self.epochs += 1
        super()._epoch(order if self.epochs <= self.right else order[::-1])


class ChangesItsAnswerLater(ChangesItsAnswer):
    right = 3


class ChangesEverybodysAnswer(Matrix):
    epochs = 0

    def _epoch(self, order):
        type(self).epochs += 1
        super()._epoch(order if self.epochs < 2 else order[::-1])


class Knows(Matrix):
    """Caches the result of each order and returns it again without training."""

    answers: ClassVar[dict[bytes, Network]] = {}

    def _epoch(self, order):
        key = order.tobytes()
        if key not in self.answers:
            super()._epoch(order)
            self.answers[key] = self.network()
        self._set_weights(self.answers[key])


class SharesItsWeights(Loop):
    def _set_weights(self, network):
        copy = network.astype(self.dtype)
        type(self)._weights, type(self)._biases = copy.weights, copy.biases


class NoUnsignedOrders(Loop):
    def _epoch(self, order):
        if order.dtype.kind == "u":
            raise TypeError(f"an order of {order.dtype}")
        super()._epoch(order)


class HidesNotANumber(Matrix):
    def _set_weights(self, network):
        super()._set_weights(Network(*([np.nan_to_num(array) for array in arrays] for arrays in (network.weights, network.biases))))


class CopiesTrainTheOriginal(Matrix):
    def __deepcopy__(self, _):
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        return other


class OnNoDevice(Loop):
    device = "tpu"


class AcceptsAnyOrder(Loop):
    def train_epoch(self, order):  # overrides a final method: only a type checker reports it
        self._epoch(np.asarray(order).ravel().astype(int) % self.examples)


class AcceptsAnyNetwork(Loop):
    def load(self, network):
        self._set_weights(network)


class AcceptsAnySettings(Loop):
    def __init__(self, network, data, *, batch_size, learning_rate):
        size = batch_size if type(batch_size) is int and batch_size > 0 else 1
        super().__init__(network, data, batch_size=size, learning_rate=learning_rate if 0 < learning_rate < np.inf else 1.0)


class RefusesWithValueErrors(Loop):
    def __init__(self, network, data, **settings):
        if network.layers[0] != data.images.shape[1] or network.layers[-1] < data.classes:
            raise ValueError("the network does not fit the data")
        super().__init__(network, data, **settings)


BREAK_THE_CONTRACT = (
    Raises,
    Exits,
    Greedy,
    ChangesImages,
    ChangesOrder,
    ChangesTheStart,
    KeepsImages,
    GivesItsWeightsAway,
    GoesOnAfterLoad,
    ChangesItsAnswer,
    ChangesEverybodysAnswer,
    Knows,
    SharesItsWeights,
    NoUnsignedOrders,
    HidesNotANumber,
    CopiesTrainTheOriginal,
    OnNoDevice,
    AcceptsAnyOrder,
    AcceptsAnyNetwork,
    AcceptsAnySettings,
    RefusesWithValueErrors,
)
