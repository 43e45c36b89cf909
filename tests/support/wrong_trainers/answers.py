"""Trainers that compute wrong weights."""

import numpy as np

from impls import Network
from impls.loop import Loop
from impls.matrix import Matrix
from tests.support.book import Book


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
        self._started = order  # stored, but never trained


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
