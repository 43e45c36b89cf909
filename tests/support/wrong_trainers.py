"""Trainers that are wrong on purpose, with one defect each; tests name them tests.support.wrong_trainers:CLASS.

Child processes of the tests import this file from the checkout. The trainers that are wrong only over several ranks: wrong_ranks.py.
"""

import atexit
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import numpy as np

from impls import Network
from impls.loop import Loop
from impls.matrix import Matrix
from tests.support.book import Book


def timed(trainer):
    """Whether the trainer is being timed, in a test that times 300 examples or more: the verification takes about 200."""
    return trainer.examples >= 300


# They compute something else. The verification and the contract suite must catch each.


class WithoutTheMean(Loop):
    def _update_mini_batch(self, examples):
        self.learning_rate *= len(examples)
        super()._update_mini_batch(examples)
        self.learning_rate /= len(examples)


class ShortBatchOverWholeSize(Loop):
    def _update_mini_batch(self, examples):
        eta, self.learning_rate = self.learning_rate, self.learning_rate * len(examples) / self.batch_size
        super()._update_mini_batch(examples)
        self.learning_rate = eta


class SkipsTheShortBatch(Loop):
    def _epoch(self, order):
        super()._epoch(order[: len(order) // self.batch_size * self.batch_size])


class SkipsHalf(Loop):
    def _epoch(self, order):
        super()._epoch(order[: len(order) // 2])


class StaleBias(Loop):
    def _update_mini_batch(self, examples):
        kept = [b.copy() for b in self._biases]
        super()._update_mini_batch(examples)
        self._biases[0][...] = kept[0]


class LearningRateOff(Loop):
    def _update_mini_batch(self, examples):
        eta, self.learning_rate = self.learning_rate, self.learning_rate * 1.01
        super()._update_mini_batch(examples)
        self.learning_rate = eta


class FileOrder(Loop):
    def _epoch(self, order):
        super()._epoch(np.sort(order))


class Backwards(Matrix):
    def _epoch(self, order):
        super()._epoch(order[::-1])


class ForgetsAnExample(Loop):
    def _epoch(self, order):
        super()._epoch(np.concatenate([order[:1], order[:1], order[2:]]))


class SkipsSigmoidPrime(Loop):
    def _backprop(self, x, y):
        gradients = super()._backprop(x, y)
        w, b = gradients[0]
        return [(w * 1.1, b * 1.1), *gradients[1:]]


class UpdatesTooEarly(Book):
    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        kept = self.weights[-1]
        self.weights[-1] = kept - self.learning_rate * nabla_w[-1]
        nabla_b[0], nabla_w[0] = (gradients[0] for gradients in super().backprop(x, y))
        self.weights[-1] = kept
        return nabla_b, nabla_w


class ReturnsBeforeItsWorkIsDone(Loop):
    def _epoch(self, order):
        self._started = order  # to be done some time: nobody waits for it


class NotANumber(Loop):
    def network(self):
        network = super().network()
        network.weights[0][0, 0] = np.nan
        return network


class HalfPrecision(Loop):
    def network(self):
        return Network([w.astype("f2").astype(w.dtype) for w in self._weights], self._biases)


COMPUTE_WRONG = (
    WithoutTheMean,
    ShortBatchOverWholeSize,
    SkipsTheShortBatch,
    SkipsHalf,
    StaleBias,
    LearningRateOff,
    FileOrder,
    Backwards,
    ForgetsAnExample,
    SkipsSigmoidPrime,
    UpdatesTooEarly,
    ReturnsBeforeItsWorkIsDone,
    NotANumber,
    HalfPrecision,
)


# They break another promise of the contract. The contract suite must catch each; few of them compute wrong when they are verified.


class Raises(Matrix):
    def _epoch(self, order):
        raise ZeroDivisionError("on purpose")


class Exits(Matrix):
    def _epoch(self, order):
        sys.exit(3)


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


class Knows(Matrix):  # the answer, and waits for the question
    answers: ClassVar[dict[bytes, np.ndarray]] = {}

    def _epoch(self, order):
        key = order.tobytes()
        if key not in self.answers:
            super()._epoch(order)
            self.answers[key] = self._parameters.copy()
        self._parameters[...] = self.answers[key]


class SharesItsWeights(Loop):
    def _set_weights(self, network):
        copy = network.astype(self.dtype)
        type(self)._weights, type(self)._biases = copy.weights, copy.biases


class NoUnsignedOrders(Loop):
    def _epoch(self, order):
        if order.dtype.kind == "u":
            raise TypeError(f"an order of {order.dtype}")
        super()._epoch(order)


class OnNoDevice(Loop):
    device = "tpu"


class AcceptsAnyOrder(Loop):
    def train_epoch(self, order):  # final: a type checker objects, and Python does not
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
            raise ValueError("they do not fit")
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
    OnNoDevice,
    AcceptsAnyOrder,
    AcceptsAnyNetwork,
    AcceptsAnySettings,
    RefusesWithValueErrors,
)


# They are right while they are verified, and wrong while they are timed.


class WrongWhileTimed(Matrix):
    def _epoch(self, order):
        super()._epoch(order[:-10] if timed(self) else order)


class NotANumberWhileTimed(Matrix):
    def _epoch(self, order):
        super()._epoch(order)
        if timed(self):
            self._parameters[0] = np.nan


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


# They end their process, or hang. Run them in a process of their own.


class ExitsAtOnceWhileTimed(Matrix):
    def _epoch(self, order):
        if timed(self):
            os._exit(7)
        super()._epoch(order)


class ExitsWithAMessage(Matrix):
    def _epoch(self, order):
        print("out of something", file=sys.stderr)
        os._exit(7)


class Killed(Matrix):
    def _epoch(self, order):
        os.kill(os.getpid(), signal.SIGKILL)


class Crashes(Matrix):
    def _epoch(self, order):
        if timed(self):
            ctypes.string_at(0)
        super()._epoch(order)


class Hangs(Matrix):
    def _epoch(self, order):
        time.sleep(1000)


class HangsWhileTimed(Matrix):
    """Touches the file that the environment variable HANGING names, and hangs."""

    def _epoch(self, order):
        if timed(self) and "HANGING" in os.environ:
            Path(os.environ["HANGING"]).touch()
        while timed(self):
            with suppress(Exception):  # as a careless loop of retries does
                time.sleep(0.1)
        super()._epoch(order)


class HangsInC(Matrix):
    def _epoch(self, order):
        if timed(self):
            sum(itertools.repeat(0))  # in which no signal is heard
        super()._epoch(order)


# They say something, wait for something, or leave something behind.


class WaitsForAFile(Matrix):
    """Waits for the file that the environment variable WAITS_FOR names."""

    def _setup(self, data):
        while not Path(os.environ["WAITS_FOR"]).exists():
            time.sleep(0.01)
        super()._setup(data)


class Warns(Matrix):  # as libraries do
    @classmethod
    def unavailable(cls):
        warnings.warn("the driver is old", stacklevel=1)

    def _epoch(self, order):
        warnings.warn("and slow", stacklevel=1)
        super()._epoch(order)


class Absent(Loop):
    @classmethod
    def unavailable(cls):
        return "gone fishing"


class Chatty(Matrix):
    def _epoch(self, order):
        print("an epoch!")
        os.write(1, b"{}\n")
        super()._epoch(order)


class TalksNonsense(Matrix):
    """Writes to every file that is open, the pipe to its parent among them."""

    def _epoch(self, order):
        for number in range(3, 30):
            with suppress(OSError):
                os.write(number, b"Traceback of something\n")


SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


class Parent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        self.child = subprocess.Popen(SLEEP, start_new_session=True)


class Grandparent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.Popen({SLEEP!r}, start_new_session=True)"], check=True)


class LateParent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        atexit.register(subprocess.Popen, SLEEP, start_new_session=True)


class CrashingParent(Parent):
    def _epoch(self, order):
        os._exit(3)
