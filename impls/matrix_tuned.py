"""A whole mini-batch as one matrix: the loop over examples becomes three matrix products a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np

from impls import aligned
from impls.dataset import Dataset
from impls.network import Network
from impls.trainer import Order, Trainer

_FAR = 100.0  # sigmoid(100) is 1 and sigmoid(-100) is 0, in float32 and in float64
_MOST_AHEAD = 64  # mini-batches gathered at once: more would spare nothing, and each has a list of operations


Operation = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments; the last of an array function's is where the result goes."""

Slabs = list[tuple[Any, Any, Any]]
"""Rows of a layer's a and delta, and an array of their shape to work in."""


class MatrixTuned(Trainer):
    """Trains on mini-batches of m examples, every intermediate in a buffer that is used again at the next step.

    The book's z = w a + b, with examples as columns, is here a w, with examples as rows, because that is how images lie in memory; and
    b is one more row of w, below which each layer has a unit that is always 1. So what BP3 says of b is a row of BP4, and costs nothing.
    Units that are always 0 follow until N_l, the layer's width, is a multiple of 8: a BLAS takes a tenth longer over columns left over.
    Shapes: a_l, z_l, delta_l (m, N_l); w_l, nabla_w_l (N_{l-1}, N_l).

    As the buffers are the same, each step is the same operations on the same arrays: the methods that say `yield` list them once, when
    the trainer is made, and an epoch goes down the list. To call those methods at every step took 15 % longer with the book's network.

    Written once against `xp`, the array library: a subclass that names another one trains with that.
    """

    xp: ClassVar[Any] = np
    cache: ClassVar[int] = 1 << 18
    """Bytes that are kept close to the arithmetic: a part of a processor's second-level cache."""

    def _setup(self, data: Dataset) -> None:
        xp, m, pixels, outputs = self.xp, self.batch_size, self.layers[0], self.layers[-1]
        self._widths = [-(-(n + 1) // 8) * 8 for n in self.layers]
        self._x, self._y = self._zeros(self.examples, self._widths[0]), self._zeros(self.examples, self._widths[-1])  # (n, N_0), (n, N_L)
        self._x[:, :pixels] = xp.asarray(data.images, dtype=self.dtype)
        self._x[:, pixels] = 1
        self._y[:, :outputs] = xp.asarray(data.one_hot(outputs, self.dtype))
        # All weights end to end in one array, and their gradient likewise: one subtraction is a step.
        self._parameters, self._w = self._end_to_end()
        self._gradient, self._nabla_w = self._end_to_end()
        # As arrays of the right dtype, because NumPy takes twice as long over a Python number as over a small array.
        self._half, self._one = np.array(0.5, self.dtype), np.array(1, self.dtype)
        whole, last = divmod(self.examples, m)
        self._batches = {size: self._mini_batch(size, steps) for size, steps in ((m, whole), (last, 1)) if size and steps}

    def _set_weights(self, network: Network) -> None:
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
        for start in range(0, len(examples), len(batch.steps)):
            rows = examples[start : start + len(batch.steps)]
            self._gather(self._x, rows, batch.x[: len(rows)])
            self._gather(self._y, rows, batch.y[: len(rows)])
            for step in batch.steps[: len(rows)]:
                for operation, arguments in step:
                    operation(*arguments)

    def _share(self, m: int) -> slice:
        """Return which of a mini-batch's m examples are this trainer's to compute: all."""
        return slice(0, m)

    def _operations(self, x: Any, y: Any, layers: Layers) -> Iterator[Operation]:
        """List the operations of a step on the images x, (m, N_0), of which y, (m, N_L), is desired."""
        yield from self._feed_forward(x, layers)
        yield from self._backpropagate(x, y, layers)
        yield from self._update()

    def _feed_forward(self, x: Any, layers: Layers) -> Iterator[Operation]:
        """Fill a_1 .. a_L."""
        for below, w, a, slabs in zip([x, *layers.a], self._w, layers.a, layers.slabs, strict=False):
            yield self.xp.dot, (below, w, a)
            for z, _, _ in slabs:
                yield from self._activate(z)

    def _backpropagate(self, x: Any, y: Any, layers: Layers) -> Iterator[Operation]:
        """Fill the gradient, times eta, of the mini-batch's mean cost."""
        below = [x, *layers.a]
        # eta/m is multiplied in here, where the array is smallest: every delta and nabla below is linear in this one.
        yield from self._cost_derivative(layers.a[-1], y, layers.rate, layers.delta[-1])
        for layer in range(len(self._w) - 1, -1, -1):
            for a, delta, work in layers.slabs[layer]:
                yield from self._times_sigmoid_prime(delta, a, work)  # BP1 and BP2 end alike
            delta = layers.delta[layer]
            yield self.xp.dot, (below[layer].T, delta, self._nabla_w[layer])  # BP4, summed over the examples; BP3 where a is always 1
            if layer:
                yield self.xp.dot, (delta, self._w[layer].T, layers.delta[layer - 1])  # BP2

    def _update(self) -> Iterator[Operation]:
        """w -> w - eta nabla_w, and b likewise."""
        yield self.xp.subtract, (self._parameters, self._gradient, self._parameters)

    def _activate(self, z: Any) -> Iterator[Operation]:
        """z -> sigmoid(z) in place, so that z becomes a; sigmoid(z) = tanh(z/2)/2 + 1/2."""
        xp, half = self.xp, self._half
        yield xp.multiply, (z, half, z)
        yield xp.tanh, (z, z)
        yield xp.multiply, (z, half, z)
        yield xp.add, (z, half, z)

    def _cost_derivative(self, a: Any, y: Any, rate: Any, delta: Any) -> Iterator[Operation]:
        """Set delta to dC/da = a - y, times eta/m."""
        yield self.xp.subtract, (a, y, delta)
        yield self.xp.multiply, (delta, rate, delta)

    def _times_sigmoid_prime(self, delta: Any, a: Any, work: Any) -> Iterator[Operation]:
        """delta -> delta sigmoid'(z) in place, where sigmoid'(z) = a (1 - a); work is overwritten."""
        xp = self.xp
        yield xp.subtract, (self._one, a, work)
        yield xp.multiply, (work, a, work)
        yield xp.multiply, (delta, work, delta)

    def _end_to_end(self) -> tuple[Any, list[Any]]:
        """Return one flat array, and the views of it that are the arrays w_1 .. w_L or their gradients."""
        shapes = list(pairwise(self._widths))
        ends = list(accumulate(below * n for below, n in shapes))
        flat = self._empty(ends[-1])
        return flat, [flat[end - below * n : end].reshape(below, n) for end, (below, n) in zip(ends, shapes, strict=True)]

    def _mini_batch(self, size: int, steps: int) -> MiniBatch:
        """Return what so many steps of a mini-batch of that size need."""
        mine = self._share(size)
        m = mine.stop - mine.start
        # Gathered a few at a time: as many as the cache holds, one at least.
        ahead = min(max(self.cache // (self._widths[0] * self.dtype.itemsize * max(m, 1)), 1), steps, _MOST_AHEAD)
        x, y = self._empty(ahead, m, self._widths[0]), self._empty(ahead, m, self._widths[-1])
        layers = self._layers(m, self.xp.array(self.learning_rate / size, self.dtype))
        return MiniBatch(x, y, [list(self._operations(images, desired, layers)) for images, desired in zip(x, y, strict=True)])

    def _layers(self, m: int, rate: Any) -> Layers:
        a, delta = ([self._empty(m, n) for n in self._widths[1:]] for _ in range(2))
        return Layers(a, delta, [self._slabs(*layer) for layer in zip(a, delta, strict=True)], rate)

    def _slabs(self, a: Any, delta: Any) -> Slabs:
        """Return a layer's a and delta, cut into rows that the cache holds, and a work array of the same size."""
        m, n = a.shape
        rows = max(min(self.cache // (n * self.dtype.itemsize), m), 1)
        work = self._empty(rows, n)
        return [(a[i : i + rows], delta[i : i + rows], work[: min(rows, m - i)]) for i in range(0, m, rows)]

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
    """A trainer's share of a mini-batch, m examples: all of them, or those that fall to it.

    x, y   (k, m, N_0) and (k, m, N_L): where the images of the next k mini-batches are gathered, and what is desired of them
    steps  the operations of k steps, one on each of these
    """

    x: Any
    y: Any
    steps: list[list[Operation]]


@dataclass(frozen=True)
class Layers:
    """The buffers of all layers but the images, for m examples.

    a      a_1 .. a_L, (m, N_l) each; a_l is z_l until its sigmoid is taken
    delta  delta_1 .. delta_L, (m, N_l) each, times eta/m
    slabs  for each layer from the first, its a and delta cut into rows that the cache holds while several operations pass over
           them, and an array of that shape to work in
    rate   eta over the examples of the whole mini-batch
    """

    a: list[Any]
    delta: list[Any]
    slabs: list[Slabs]
    rate: Any
