"""Trainers that are right during verification and wrong during timing."""

import threading
import time

import numpy as np

from impls.loop import Loop
from impls.matrix import Matrix


def timed(trainer):
    """Return whether the trainer is being timed: these tests time 300 examples or more, and verify with about 200."""
    return trainer.examples >= 300


class WrongWhileTimed(Matrix):
    def _epoch(self, order):
        super()._epoch(order[:-10] if timed(self) else order)


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
        time.sleep(0.1)
        super()._epoch(order)

    def _join(self):
        if self.thread.is_alive():
            self.thread.join()

    def network(self):
        self._join()
        return super().network()
