"""A trainer that processes one example at a time, as in the book's network.py: the baseline for speedups and, in float64, the oracle."""

from __future__ import annotations

import numpy as np

from impls.dataset import Dataset
from impls.network import Array, Network, sigmoid
from impls.trainer import Order, Trainer


class Loop(Trainer):
    """Computes the gradient of each example in turn, and sums them over the mini-batch.

    As in the book, vectors are columns, (n_l, 1), and lists start at the first hidden layer and end at the output. np.dot is also as in
    the book: for a column times a row, `@` uses a slow path instead of BLAS, which would double the time of the baseline.
    """

    def _setup(self, data: Dataset) -> None:
        self._x = np.array(data.images, dtype=self.dtype)[:, :, np.newaxis]  # (n, n_0, 1)
        self._y = data.one_hot(self.layers[-1], self.dtype)[:, :, np.newaxis]  # (n, n_L, 1)

    def _set_weights(self, network: Network) -> None:
        self._weights = [np.array(w) for w in network.weights]
        self._biases = [np.array(b) for b in network.biases]

    def network(self) -> Network:
        return Network(self._weights, self._biases)

    def _epoch(self, order: Order) -> None:
        for start in range(0, len(order), self.batch_size):
            self._update_mini_batch(order[start : start + self.batch_size])

    def _update_mini_batch(self, examples: Order) -> None:
        """Take a gradient descent step: w -> w - eta/m sum nabla_w, b -> b - eta/m sum nabla_b (chapter 1, equations 20, 21)."""
        nabla_w = [np.zeros_like(w) for w in self._weights]
        nabla_b = [np.zeros_like(b) for b in self._biases]
        for example in examples:
            for layer, (nw, nb) in enumerate(self._backprop(self._x[example], self._y[example])):
                nabla_w[layer] += nw
                nabla_b[layer] += nb
        step = self.learning_rate / len(examples)
        for w, b, nw, nb in zip(self._weights, self._biases, nabla_w, nabla_b, strict=True):
            w -= step * nw
            b -= step * nb

    def _backprop(self, x: Array, y: Array) -> list[tuple[Array, Array]]:
        """Return each layer's gradient of C_x = 1/2 |a_L - y|^2 for one example, as pairs (dC/dw, dC/db)."""
        activations = [x]  # a_0 .. a_L
        for w, b in zip(self._weights, self._biases, strict=True):
            activations.append(sigmoid(np.dot(w, activations[-1]) + b))
        a = activations[-1]
        delta: Array = (a - y) * a * (1 - a)  # BP1; sigmoid'(z) = a (1 - a)
        gradients: list[tuple[Array, Array]] = [(np.dot(delta, activations[-2].T), delta)]  # BP4, BP3
        for layer in range(len(self._weights) - 2, -1, -1):
            a = activations[layer + 1]
            delta = np.dot(self._weights[layer + 1].T, delta) * a * (1 - a)  # BP2
            gradients.append((np.dot(delta, activations[layer].T), delta))
        return gradients[::-1]
