"""Trainers that are right during verification and wrong during timing."""

import threading
import time

import numpy as np

from impls.loop import Loop
from impls.matrix import Matrix


def timed(trainer):
    """Return whether the trainer is being timed: these tests time 300 examples or more. They verify with about 200, or 2.5 mini-batches."""
    return trainer.examples >= max(300, 3 * trainer.batch_size)


class WrongWhileTimed(Matrix):
    def _epoch(self, order):
        super()._epoch(order[:-10] if timed(self) else order)


class WrapsIndices(Matrix):
    """Keeps the index of an example in a byte."""

    def _epoch(self, order):
        super()._epoch(order % 256 if timed(self) else order)


class RepeatsATenth(Matrix):
    def _epoch(self, order):
        few = len(order) // 10
        super()._epoch(np.resize(order[:few], len(order)) if timed(self) else order)


class MislabelsLate(Matrix):
    """Takes the nines of the last tenth of an epoch for fours."""

    def _epoch(self, order):
        late = len(order) - len(order) // 10 if timed(self) else len(order)
        super()._epoch(order[:late])
        right, self._y = self._y, self._y.copy()
        self._y[:, [4, 9]] = self._y[:, [4, 9]].sum(axis=1, keepdims=True) * [1, 0]
        super()._epoch(order[late:])
        self._y = right


class Clips(Matrix):
    def _update_mini_batch(self, examples):
        super()._update_mini_batch(examples)
        if timed(self):
            for w in self._weights:
                np.clip(w, -0.3, 0.3, out=w)


WRONG_LATER = (WrapsIndices, RepeatsATenth, MislabelsLate, Clips)


class NotANumberWhileTimed(Matrix):
    def _epoch(self, order):
        super()._epoch(order)
        if timed(self):
            self._weights[0][0] = np.nan


class Lazy(Loop):
    """Trains when its weights are read. The sleep makes that much slower than reading the weights is on a busy machine."""

    def _set_weights(self, network):
        super()._set_weights(network)
        self.orders = []

    def _epoch(self, order):
        self.orders.append(order)

    def network(self):
        while self.orders:
            time.sleep(0.05)
            super()._epoch(self.orders.pop())
        return super().network()


class Early(Matrix):
    """Trains in a thread, and joins it when its weights are read. The sleep is long enough even if a busy machine delays the read."""

    thread = threading.Thread()

    def _set_weights(self, network):
        self._join()
        super()._set_weights(network)

    def _epoch(self, order):
        self._join()
        self.thread = threading.Thread(target=self._late, args=(order,))
        self.thread.start()

    def _late(self, order):
        time.sleep(0.5)
        super()._epoch(order)

    def _join(self):
        if self.thread.is_alive():
            self.thread.join()

    def network(self):
        self._join()
        return super().network()


class EarlyFromTheSecondEpochOn(Early):
    epochs = 0

    def _epoch(self, order):
        self.epochs += 1
        super()._epoch(order)
        if self.epochs == 1:
            self._join()


class TrainsAheadInLoad(Matrix):
    """Takes the first half of the steps when it loads the weights."""

    order = None

    def _set_weights(self, network):
        super()._set_weights(network)
        if self.order is not None:
            for _ in range(20):  # so that `load` takes long, even if these tests train a few examples
                super()._set_weights(network)
                super()._epoch(self.order[: len(self.order) // 2])

    def _epoch(self, order):
        super()._epoch(order[len(order) // 2 :] if self.order is not None else order)
        self.order = order.copy()


class DoesNothingButKnowsTheAnswer(Matrix):
    """Trains the first epoch, and then returns its result again without training."""

    answer = None

    def _epoch(self, order):
        if self.answer is None:
            super()._epoch(order)
            self.answer = self.network()
        self._weights, self._biases = list(self.answer.weights), list(self.answer.biases)
