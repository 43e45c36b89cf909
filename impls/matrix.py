"""A whole mini-batch as one matrix: the loop over examples becomes three matrix products a layer."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from impls.dataset import Dataset
from impls.network import Network
from impls.trainer import Order, Trainer


class Matrix(Trainer):
    """Trains on mini-batches of m examples, every intermediate in a buffer that is used again at the next step.

    The book's z = w a + b, with examples as columns, is here its transpose z = a w^T + b^T with examples as rows, because that
    is how images lie in memory. Shapes: a_l, z_l, delta_l (m, n_l); w_l, nabla_w_l (n_l, n_{l-1}); b_l, nabla_b_l (1, n_l).

    Written once against `xp`, the array library: a subclass that names another one trains with that.
    """

    xp: ClassVar[Any] = np

    def _place(self, data: Dataset) -> None:
        xp = self.xp
        self._x = xp.array(data.images, dtype=self.dtype)  # (n, n_0)
        self._y = xp.asarray(data.one_hot(self.layers[-1], self.dtype))  # (n, n_L)
        # All weights, then all biases, end to end in one array, and their gradient likewise: one subtraction is a step.
        shapes = [(n, below) for below, n in pairwise(self.layers)] + [(1, n) for n in self.layers[1:]]
        self._parameters, views = _end_to_end(xp, shapes, self.dtype)
        self._gradient, nablas = _end_to_end(xp, shapes, self.dtype)
        depth = len(self.layers) - 1
        self._w, self._b = views[:depth], views[depth:]
        self._nabla_w, self._nabla_b = nablas[:depth], nablas[depth:]
        # As arrays of the right dtype, because NumPy takes twice as long over a Python number as over a small array.
        self._half, self._one = xp.array(0.5, self.dtype), xp.array(1, self.dtype)
        whole, last = min(self.batch_size, self.examples), self.examples % self.batch_size
        self._batches = {m: MiniBatch(xp, m, self.layers, self.dtype, self.learning_rate) for m in {whole, last} - {0}}

    def _load(self, network: Network) -> None:
        for mine, given in zip(self._w, network.weights, strict=True):
            mine[...] = self.xp.asarray(given)
        for mine, given in zip(self._b, network.biases, strict=True):
            mine[...] = self.xp.asarray(given.T)

    def network(self) -> Network:
        return Network([self._to_host(w) for w in self._w], [self._to_host(b).T for b in self._b])

    def _epoch(self, order: Order) -> None:
        xp = self.xp
        order = xp.asarray(order)
        y = self._y[order]  # (n, n_L): small enough to gather at once; the images are gathered a mini-batch at a time
        for start in range(0, len(order), self.batch_size):
            examples = order[start : start + self.batch_size]
            batch = self._batches[len(examples)]
            self._gather(self._x, examples, batch.a[0])
            self._feed_forward(batch)
            self._backpropagate(batch, y[start : start + self.batch_size])
            xp.subtract(self._parameters, self._gradient, out=self._parameters)

    def _feed_forward(self, batch: MiniBatch) -> None:
        """Fill a_1 .. a_L from a_0."""
        for w, b, a, z in zip(self._w, self._b, batch.a, batch.a[1:]):  # noqa: B905 (lengths differ by design)
            self.xp.dot(a, w.T, out=z)
            self._activate(z, b)

    def _backpropagate(self, batch: MiniBatch, y: Any) -> None:
        """Fill the gradient, times eta, of the mini-batch's mean cost."""
        xp = self.xp
        # eta/m is multiplied in here, where the array is smallest: every delta and nabla below is linear in this one.
        self._cost_derivative(batch.a[-1], y, batch.step, batch.delta[-1])
        for layer in range(len(self._w) - 1, -1, -1):
            delta, a, room = batch.delta[layer], batch.a[layer + 1], batch.room[layer]
            self._times_sigmoid_prime(delta, a, room)  # BP1 and BP2 end alike
            xp.dot(delta.T, batch.a[layer], out=self._nabla_w[layer])  # BP4
            xp.dot(batch.ones, delta, out=self._nabla_b[layer])  # BP3, summed over the examples
            if layer:
                xp.dot(delta, self._w[layer], out=batch.delta[layer - 1])  # BP2

    def _activate(self, z: Any, b: Any) -> None:
        """z -> sigmoid(z + b) in place, so that z becomes a; sigmoid(z) = tanh(z/2)/2 + 1/2."""
        xp, half = self.xp, self._half
        xp.add(z, b, out=z)
        xp.multiply(z, half, out=z)
        xp.tanh(z, out=z)
        xp.multiply(z, half, out=z)
        xp.add(z, half, out=z)

    def _cost_derivative(self, a: Any, y: Any, step: Any, delta: Any) -> None:
        """Set delta to dC/da = a - y, times eta/m."""
        self.xp.subtract(a, y, out=delta)
        self.xp.multiply(delta, step, out=delta)

    def _times_sigmoid_prime(self, delta: Any, a: Any, room: Any) -> None:
        """delta -> delta sigmoid'(z) in place, where sigmoid'(z) = a (1 - a); room is overwritten."""
        xp = self.xp
        xp.subtract(self._one, a, out=room)
        xp.multiply(room, a, out=room)
        xp.multiply(delta, room, out=delta)

    @staticmethod
    def _gather(rows: Any, examples: Any, out: Any) -> None:
        """Copy rows[examples] into out. The mode spares NumPy a buffer; the order has been checked already."""
        rows.take(examples, axis=0, out=out, mode="clip")

    @staticmethod
    def _to_host(array: Any) -> Any:
        return array


class MiniBatch:
    """The buffers of one mini-batch of m examples; small enough to stay in cache from step to step.

    a      a_0 .. a_L, (m, n_l) each; a_0 holds the gathered images, and a_l is z_l until its sigmoid is taken
    delta  delta_1 .. delta_L, (m, n_l) each, times eta/m
    room   to work in, one array like each delta
    ones   (1, m)
    step   eta/m
    """

    def __init__(self, xp: Any, m: int, layers: tuple[int, ...], dtype: Any, learning_rate: float) -> None:
        self.a = [xp.empty((m, n), dtype) for n in layers]
        self.delta = [xp.empty((m, n), dtype) for n in layers[1:]]
        self.room = [xp.empty((m, n), dtype) for n in layers[1:]]
        self.ones = xp.ones((1, m), dtype)
        self.step = xp.array(learning_rate / m, dtype)


def _end_to_end(xp: Any, shapes: list[tuple[int, int]], dtype: Any) -> tuple[Any, list[Any]]:
    """Return one flat array that holds arrays of these shapes one after the other, and each of them as a view of it."""
    ends = list(accumulate(rows * columns for rows, columns in shapes))
    flat = xp.empty(ends[-1], dtype)
    starts = [0, *ends[:-1]]
    return flat, [flat[start:end].reshape(shape) for start, end, shape in zip(starts, ends, shapes, strict=True)]
