# mypy: ignore-errors
# Experiments, kept as short as possible; measure.py runs them.
"""`matrix_tuned` without one of its tricks each, for `versus`."""

from itertools import pairwise
from unittest.mock import patch

import numpy as np

import impls
from impls.matrix import Matrix
from impls.matrix_tuned import MatrixTuned
from impls.padded_parameters import PaddedParameters


class Rows(Matrix):
    """`matrix` with examples as rows: its first step towards `matrix_tuned`."""

    def _set_weights(self, network):
        self._weights = [np.ascontiguousarray(w.T) for w in network.weights]
        self._biases = [b.T.copy() for b in network.biases]

    def network(self):
        return impls.Network([w.T for w in self._weights], [b.T for b in self._biases])

    def _update_mini_batch(self, examples):
        gradients = self._backprop(self._x[examples], self._y[examples])
        step = self.learning_rate / len(examples)
        for w, b, (nw, nb) in zip(self._weights, self._biases, gradients, strict=True):
            w -= step * nw
            b -= step * nb

    def _backprop(self, x, y):
        activations = [x]
        for w, b in zip(self._weights, self._biases, strict=True):
            activations.append(impls.network.sigmoid(np.dot(activations[-1], w) + b))
        a = activations[-1]
        delta = (a - y) * a * (1 - a)
        gradients = [(np.dot(activations[-2].T, delta), delta.sum(axis=0, keepdims=True))]
        for layer in range(len(self._weights) - 2, -1, -1):
            a = activations[layer + 1]
            delta = np.dot(delta, self._weights[layer + 1].T) * a * (1 - a)
            gradients.append((np.dot(activations[layer].T, delta), delta.sum(axis=0, keepdims=True)))
        return gradients[::-1]


class Direct:
    """The array library in place of a tape: it makes the calls instead of recording them."""

    def __getattr__(self, name):
        return getattr(np, name)


class Tape(MatrixTuned):
    """The step's methods are called at every step."""

    def _mini_batch(self, size, steps):
        with patch.object(type(self), "_update_mini_batch", lambda *_: None):  # there is nothing to record
            return super()._mini_batch(size, steps)

    def _descend(self, batch, examples):
        m = examples.shape[1]
        layers = self._layers(m, np.array(self.learning_rate / m, self.dtype))
        for start in range(0, len(examples), len(batch.steps)):
            rows = examples[start : start + len(batch.steps)]
            self._gather(self._x, rows, batch.x[: len(rows)])
            self._gather(self._y, rows, batch.y[: len(rows)])
            for x, y in zip(batch.x[: len(rows)], batch.y, strict=False):
                self._update_mini_batch(Direct(), x, y, layers)


class TapeAndBuffers(Tape):
    """Besides, every operation makes a new array."""

    def _update_mini_batch(self, xp, x, y, layers):
        w, half = self._parameters.w, self._half
        a = [x]
        for each in w:
            a.append(np.tanh(np.dot(a[-1], each) * half) * half + half)
        delta = (a[-1] - y) * layers.rate * ((self._one - a[-1]) * a[-1])
        for layer in range(len(w) - 1, -1, -1):
            nabla_w = np.dot(a[layer].T, delta)
            if layer:
                delta = np.dot(delta, w[layer].T) * ((self._one - a[layer]) * a[layer])
            w[layer] -= nabla_w


class OneSubtraction(MatrixTuned):
    """A subtraction for each layer."""

    def _update_mini_batch(self, xp, x, y, layers):
        self._backprop(xp, x, y, layers)
        for w, nabla_w in zip(self._parameters.w, self._gradient.w, strict=True):
            xp.subtract(w, nabla_w, out=w)


class EarlyRate(MatrixTuned):
    """The whole gradient is multiplied by eta/m."""

    def _update_mini_batch(self, xp, x, y, layers):
        self._backprop(xp, x, y, layers)
        xp.multiply(self._gradient.flat, layers.rate, out=self._gradient.flat)
        xp.subtract(self._parameters.flat, self._gradient.flat, out=self._parameters.flat)

    def _cost_derivative(self, xp, a, y, rate, out):
        xp.subtract(a, y, out=out)


class GatherAhead(MatrixTuned):
    """Each mini-batch is gathered by itself."""

    def _mini_batch(self, size, steps):
        return super()._mini_batch(size, 1)


class ArraysForConstants(MatrixTuned):
    """1/2 and 1 are Python numbers."""

    def _setup(self, data):
        self._half, self._one = 0.5, 1.0
        super()._setup(data)

    def __setattr__(self, name, value):
        super().__setattr__(name, float(value) if name in ("_half", "_one") else value)


class Alignment(MatrixTuned):
    """Arrays start where NumPy puts them."""

    def _empty(self, *shape):
        return np.empty(shape, self.dtype)


class ClipMode(MatrixTuned):
    """NumPy checks each index, and gathers into a buffer of its own for that."""

    def _gather(self, rows, examples, out):
        rows.take(examples, axis=0, out=out)


class Separate:
    """The place of PaddedParameters: w_l (n_{l-1}, n_l) and b_l (n_l,), no padding."""

    def __init__(self, layers, empty):
        shapes = list(pairwise(layers))
        self.widths, self.flat = list(layers), empty(sum((below + 1) * n for below, n in shapes))
        self.w, self.b, end = [], [], 0
        for below, n in shapes:
            self.w.append(self.flat[end : end + below * n].reshape(below, n))
            self.b.append(self.flat[end + below * n : end + (below + 1) * n])
            end += (below + 1) * n

    def set(self, network, asarray):
        for mine, given in zip((*self.w, *self.b), (*network.weights, *(b[:, 0] for b in network.biases)), strict=True):
            mine[...] = given.T

    def network(self, to_host):
        return impls.Network([w.T for w in self.w], [b[:, np.newaxis] for b in self.b])


class BiasRow(MatrixTuned):
    """The bias is added, and its gradient summed, by calls of their own."""

    _layout = Separate

    def _backprop(self, xp, x, y, layers):
        w, b, nabla_w, nabla_b = self._parameters.w, self._parameters.b, self._gradient.w, self._gradient.b
        a, delta = [x, *layers.a], [None, *layers.delta]
        for layer in range(len(w)):
            xp.dot(a[layer], w[layer], out=a[layer + 1])
            xp.add(a[layer + 1], b[layer], out=a[layer + 1])
            self._sigmoid(xp, a[layer + 1])
        self._cost_derivative(xp, a[-1], y, layers.rate, out=delta[-1])
        for layer in range(len(w), 0, -1):
            self._times_sigmoid_prime(xp, delta[layer], a[layer])
            xp.dot(a[layer - 1].T, delta[layer], out=nabla_w[layer - 1])
            xp.record(np.add.reduce, delta[layer], 0, None, nabla_b[layer - 1])
            if layer > 1:
                xp.dot(delta[layer], w[layer - 1].T, out=delta[layer - 1])


class Narrow(PaddedParameters):
    def __init__(self, layers, empty):
        super().__init__(layers, empty, multiple=1)


class Padding(MatrixTuned):
    """A layer has its units and the one that is always 1, no more."""

    _layout = Narrow
