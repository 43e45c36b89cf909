"""A mini-batch at a time: loop.py without the loop over examples. The difference between the two files is the point of this project."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from impls.dataset import Dataset
from impls.network import Array, Network, sigmoid
from impls.trainer import Order, Trainer


class Matrix(Trainer):
    """Computes the gradient of a mini-batch's m examples at once.

    An example is a column, as in the book, and a mini-batch is m columns side by side: x (n_0, m), y (n_L, m), and z_l, a_l, delta_l
    (n_l, m). So z = w a + b is the book's formula for all of them, where NumPy adds the column b (n_l, 1) to each.
    """

    xp: ClassVar[Any] = np
    """The array library."""

    def _setup(self, data: Dataset) -> None:
        self._x = self.xp.array(data.images, dtype=self.dtype)  # (n, n_0)
        self._y = self.xp.array(data.one_hot(self.layers[-1], self.dtype))  # (n, n_L)

    def _set_weights(self, network: Network) -> None:
        self._weights = [self.xp.array(w) for w in network.weights]
        self._biases = [self.xp.array(b) for b in network.biases]

    def network(self) -> Network:
        return Network(self._weights, self._biases)

    def _epoch(self, order: Order) -> None:
        for start in range(0, len(order), self.batch_size):
            self._update_mini_batch(order[start : start + self.batch_size])

    def _update_mini_batch(self, examples: Order) -> None:
        """Step down the gradient of the mini-batch: w -> w - eta/m sum nabla_w, and b likewise (chapter 1, equations 20, 21)."""
        gradients = self._backprop(self._x[examples].T, self._y[examples].T)
        step = self.learning_rate / len(examples)
        for w, b, (nw, nb) in zip(self._weights, self._biases, gradients, strict=True):
            w -= step * nw
            b -= step * nb

    def _backprop(self, x: Array, y: Array) -> list[tuple[Array, Array]]:
        """Return each layer's gradient of sum C_x, where C_x = 1/2 |a_L - y|^2 for one example: (dC/dw, dC/db)."""
        activations = [x]  # a_0 .. a_L
        for w, b in zip(self._weights, self._biases, strict=True):
            activations.append(sigmoid(self.xp.dot(w, activations[-1]) + b))
        a = activations[-1]
        delta: Array = (a - y) * a * (1 - a)  # BP1; sigmoid'(z) = a (1 - a)
        # BP4 and BP3: the product sums the examples' gradients, because each column contributes one term
        gradients: list[tuple[Array, Array]] = [(self.xp.dot(delta, activations[-2].T), delta.sum(axis=1, keepdims=True))]
        for layer in range(len(self._weights) - 2, -1, -1):
            a = activations[layer + 1]
            delta = self.xp.dot(self._weights[layer + 1].T, delta) * a * (1 - a)  # BP2
            gradients.append((self.xp.dot(delta, activations[layer].T), delta.sum(axis=1, keepdims=True)))
        return gradients[::-1]
