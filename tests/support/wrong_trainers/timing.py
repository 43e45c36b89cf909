"""Trainers that are right while they are verified, and wrong while they are timed."""

import threading
import time

import numpy as np

from impls.loop import Loop
from impls.matrix import Matrix


def timed(trainer):
    """Whether the trainer is being timed, in a test that times 300 examples or more: the verification takes about 200."""
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
    """Trains when its weights are asked for, and takes far longer than reading them may take for another reason on a busy machine."""

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
    """Trains in a thread that is waited for when its weights are asked for, even if a busy machine lets that wait."""

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
