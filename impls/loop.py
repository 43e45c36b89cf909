"""One example at a time, as in the book's network.py: the baseline of every speedup and, in float64, the oracle."""

from __future__ import annotations

import numpy as np

from impls.dataset import Dataset
from impls.network import Array, Network, sigmoid
from impls.trainer import Order, Trainer


class Loop(Trainer):
    """Sums the gradients of a mini-batch's examples one by one.

    Vectors are columns, (n_l, 1), and lists go from the first hidden layer to the output, both as in the book. So is np.dot:
    `@` hands a column times a row to a slow path instead of BLAS, and would double the time of the baseline.
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
        """Step down the gradient of the mini-batch: w -> w - eta/m sum nabla_w, and b likewise (chapter 1, equations 20, 21)."""
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
        """Return each layer's gradient of C_x = 1/2 |a_L - y|^2 for one example: (dC/dw, dC/db)."""
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
