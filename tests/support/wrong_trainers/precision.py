"""Trainers that are nearly right: products in low precision, a late bias, a missing example, a learning rate off by 0.1 %."""

import numpy as np

from impls.matrix import Matrix


def rounded_to(bits):
    """Return a function that rounds float32 numbers to so many bits of the fraction."""
    dropped = 23 - bits

    def rounded(x):
        numbers = np.ascontiguousarray(x).view(np.uint32)
        return ((numbers + (1 << (dropped - 1))) & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)).view(np.float32)

    return rounded


class LowPrecision:
    """NumPy, whose products of float32 arrays first round their factors."""

    def __init__(self, rounded):
        self._rounded = rounded

    def __getattr__(self, name):
        return getattr(np, name)

    def dot(self, a, b):
        return np.dot(self._rounded(a), self._rounded(b)) if a.dtype == np.float32 else np.dot(a, b)


class HalfProducts(Matrix):
    xp = LowPrecision(lambda x: x.astype(np.float16).astype(np.float32))


class TF32Products(Matrix):
    xp = LowPrecision(rounded_to(bits=10))


class BFloat16Products(Matrix):
    xp = LowPrecision(rounded_to(bits=7))


class LearningRateOffByAThousandth(Matrix):
    def _update_mini_batch(self, examples):
        eta, self.learning_rate = self.learning_rate, self.learning_rate * 1.001
        super()._update_mini_batch(examples)
        self.learning_rate = eta


class DropsTheLastExample(Matrix):
    def _epoch(self, order):
        super()._epoch(order[:-1])


class DropsTheLastExampleOfEachMiniBatch(Matrix):
    def _update_mini_batch(self, examples):
        super()._update_mini_batch(examples[:-1] if len(examples) > 1 else examples)


class LateBias(Matrix):
    """Uses the biases from before the last step."""

    def _set_weights(self, network):
        super()._set_weights(network)
        self._before = [b.copy() for b in self._biases]

    def _backprop(self, x, y):
        biases, self._biases = self._biases, self._before
        self._before = [b.copy() for b in biases]
        gradients = super()._backprop(x, y)
        self._biases = biases
        return gradients


NEARLY_RIGHT = (
    HalfProducts,
    TF32Products,
    BFloat16Products,
    LearningRateOffByAThousandth,
    DropsTheLastExample,
    DropsTheLastExampleOfEachMiniBatch,
    LateBias,
)
