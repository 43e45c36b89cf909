"""A whole mini-batch as one matrix: the loop over examples becomes three matrix products a layer."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from impls import aligned
from impls.dataset import Dataset
from impls.network import Network
from impls.trainer import Order, Trainer

_FAR = 100.0  # sigmoid(100) is 1 and sigmoid(-100) is 0, in float32 and in float64


class Matrix(Trainer):
    """Trains on mini-batches of m examples, every intermediate in a buffer that is used again at the next step.

    The book's z = w a + b, with examples as columns, is here a w, with examples as rows, because that is how images lie in memory; and
    b is one more row of w, below which each layer has a unit that is always 1. So what BP3 says of b is a row of BP4, and costs nothing.
    Units that are always 0 follow until N_l, the layer's width, is a multiple of 8: a BLAS takes a tenth longer over columns left over.
    Shapes: a_l, z_l, delta_l (m, N_l); w_l, nabla_w_l (N_{l-1}, N_l).

    Written once against `xp`, the array library: a subclass that names another one trains with that.
    """

    xp: ClassVar[Any] = np
    cache: ClassVar[int] = 1 << 18
    """Bytes that are kept close to the arithmetic: a part of a processor's second-level cache."""

    def _place(self, data: Dataset) -> None:
        xp, m, pixels, outputs = self.xp, self.batch_size, self.layers[0], self.layers[-1]
        self._widths = [-(-(n + 1) // 8) * 8 for n in self.layers]
        self._x, self._y = self._zeros(self.examples, self._widths[0]), self._zeros(self.examples, self._widths[-1])  # (n, N_0), (n, N_L)
        self._x[:, :pixels] = xp.asarray(data.images, dtype=self.dtype)
        self._x[:, pixels] = 1
        self._y[:, :outputs] = xp.asarray(data.one_hot(outputs, self.dtype))
        # Examples are gathered a few mini-batches at a time: as many as the cache holds, one at least.
        mine = self._share(min(m, self.examples))
        rows = mine.stop - mine.start
        self._steps = min(max(self.cache // (pixels * self.dtype.itemsize) // max(rows, 1), 1), -(-self.examples // m))
        self._gathered = self._empty(self._steps * rows, self._widths[0]), self._empty(self._steps * rows, self._widths[-1])
        # All weights end to end in one array, and their gradient likewise: one subtraction is a step.
        self._parameters, self._w = self._end_to_end()
        self._gradient, self._nabla_w = self._end_to_end()
        # As arrays of the right dtype, because NumPy takes twice as long over a Python number as over a small array.
        self._half, self._one = np.array(0.5, self.dtype), np.array(1, self.dtype)
        self._batches = {size: self._mini_batch(size) for size in {min(m, self.examples), self.examples % m} - {0}}

    def _load(self, network: Network) -> None:
        for mine, w, b in zip(self._w, network.weights, network.biases, strict=True):
            n, below = w.shape
            mine[...] = 0
            mine[:below, :n] = self.xp.asarray(w.T)
            mine[below, :n] = self.xp.asarray(b[:, 0])
            # Where sigmoid(z) is 1 or 0 to the last bit, sigmoid'(z) is 0: these units never learn anything else.
            mine[below, n] = _FAR
            mine[below, n + 1 :] = -_FAR

    def network(self) -> Network:
        w = [self._to_host(mine)[: below + 1, :n].T for mine, below, n in zip(self._w, self.layers, self.layers[1:], strict=False)]
        return Network([both[:, :-1] for both in w], [both[:, -1:] for both in w])

    def _epoch(self, order: Order) -> None:
        order = self.xp.asarray(order)
        whole = len(order) // self.batch_size * self.batch_size
        for m, examples in ((self.batch_size, order[:whole]), (len(order) - whole, order[whole:])):
            if len(examples):
                self._descend(self._batches[m], examples.reshape(-1, m)[:, self._share(m)])

    def _descend(self, batch: MiniBatch, examples: Any) -> None:
        """Take a step for each row of examples, (steps, m)."""
        for start in range(0, len(examples), self._steps):
            rows = examples[start : start + self._steps]
            x, y = (buffer[: rows.size].reshape(*rows.shape, buffer.shape[1]) for buffer in self._gathered)  # (steps, m, n_0), (.., n_L)
            self._gather(self._x, rows, x)
            self._gather(self._y, rows, y)
            for images, desired in zip(x, y, strict=True):
                batch.a[0] = images
                self._feed_forward(batch)
                self._backpropagate(batch, desired)
                self._update()

    def _share(self, m: int) -> slice:
        """Return which of a mini-batch's m examples are this trainer's to compute: all."""
        return slice(0, m)

    def _update(self) -> None:
        """w -> w - eta nabla_w, and b likewise."""
        self.xp.subtract(self._parameters, self._gradient, out=self._parameters)

    def _feed_forward(self, batch: MiniBatch) -> None:
        """Fill a_1 .. a_L from a_0."""
        for layer, w in enumerate(self._w):
            self.xp.dot(batch.a[layer], w, out=batch.a[layer + 1])
            self._activate(batch, layer)

    def _backpropagate(self, batch: MiniBatch, y: Any) -> None:
        """Fill the gradient, times eta, of the mini-batch's mean cost."""
        xp = self.xp
        # eta/m is multiplied in here, where the array is smallest: every delta and nabla below is linear in this one.
        self._cost_derivative(batch.a[-1], y, batch.step, batch.delta[-1])
        for layer in range(len(self._w) - 1, -1, -1):
            self._times_sigmoid_prime(batch, layer)  # BP1 and BP2 end alike
            delta = batch.delta[layer]
            xp.dot(batch.a[layer].T, delta, out=self._nabla_w[layer])  # BP4, summed over the examples; BP3 where a is always 1
            if layer:
                xp.dot(delta, self._w[layer].T, out=batch.delta[layer - 1])  # BP2

    def _activate(self, batch: MiniBatch, layer: int) -> None:
        """z -> sigmoid(z) in place, so that z becomes a; sigmoid(z) = tanh(z/2)/2 + 1/2."""
        xp, half = self.xp, self._half
        for z, _, _ in batch.slabs[layer]:
            xp.multiply(z, half, out=z)
            xp.tanh(z, out=z)
            xp.multiply(z, half, out=z)
            xp.add(z, half, out=z)

    def _cost_derivative(self, a: Any, y: Any, step: Any, delta: Any) -> None:
        """Set delta to dC/da = a - y, times eta/m."""
        self.xp.subtract(a, y, out=delta)
        self.xp.multiply(delta, step, out=delta)

    def _times_sigmoid_prime(self, batch: MiniBatch, layer: int) -> None:
        """delta -> delta sigmoid'(z) in place, where sigmoid'(z) = a (1 - a)."""
        xp, one = self.xp, self._one
        for a, delta, room in batch.slabs[layer]:
            xp.subtract(one, a, out=room)
            xp.multiply(room, a, out=room)
            xp.multiply(delta, room, out=delta)

    def _end_to_end(self) -> tuple[Any, list[Any]]:
        """Return one flat array, and the views of it that are the arrays w_1 .. w_L or their gradients."""
        shapes = list(pairwise(self._widths))
        ends = list(accumulate(below * n for below, n in shapes))
        flat = self._empty(ends[-1])
        return flat, [flat[end - below * n : end].reshape(below, n) for end, (below, n) in zip(ends, shapes, strict=True)]

    def _mini_batch(self, size: int) -> MiniBatch:
        mine = self._share(size)
        m = mine.stop - mine.start
        a, delta = ([self._empty(m, n) for n in self._widths[1:]] for _ in range(2))
        slabs = [self._slabs(*pair) for pair in zip(a, delta, strict=True)]
        return MiniBatch([None, *a], delta, slabs, self.xp.array(self.learning_rate / size, self.dtype))

    def _slabs(self, a: Any, delta: Any) -> list[tuple[Any, Any, Any]]:
        """Return a layer's a and delta, cut into rows that the cache holds, and room for as many."""
        m, n = a.shape
        rows = max(min(self.cache // (n * self.dtype.itemsize), m), 1)
        room = self._empty(rows, n)
        return [(a[i : i + rows], delta[i : i + rows], room[: min(rows, m - i)]) for i in range(0, m, rows)]

    def _zeros(self, *shape: int) -> Any:
        array = self._empty(*shape)
        array[...] = 0
        return array

    def _empty(self, *shape: int) -> Any:
        """Return an array of the library's, its values not set."""
        return aligned.empty(shape, self.dtype)

    def _gather(self, rows: Any, examples: Any, out: Any) -> None:
        """Copy rows[examples] into out. The mode spares NumPy a buffer; the order has been checked already."""
        rows.take(examples, axis=0, out=out, mode="clip")

    def _to_host(self, array: Any) -> Any:
        return array


@dataclass(frozen=True)
class MiniBatch:
    """The buffers of a trainer's share of a mini-batch, m examples: all of them, or those that fall to it.

    a      a_0 .. a_L, (m, N_l) each; a_0 is the images, set at every step, and a_l is z_l until its sigmoid is taken
    delta  delta_1 .. delta_L, (m, N_l) each, times eta/m
    slabs  for each layer from the first, its a and delta cut into rows that the cache holds while several operations pass over
           them, and an array of that shape to work in
    step   eta over the examples of the whole mini-batch
    """

    a: list[Any]
    delta: list[Any]
    slabs: list[list[tuple[Any, Any, Any]]]
    step: Any
