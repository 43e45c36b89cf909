"""matrix.py, tuned: every result goes into an array that exists already, and a step runs hardly any Python between NumPy's calls.

The gain of each trick: the epoch without it, divided by the epoch with all of them, on one processor of an AMD EPYC (results/tricks).

    without                                                    nielsen    wide   large
    all of them (matrix.py)                                       1.88    1.40    1.25
    all of them except for images as rows                         1.92    1.35    1.25
    the tape: Python runs the step for each mini-batch            1.74    1.06    1.00
    the tape and the buffers: each operation makes an array       1.17    1.03    1.22
    the bias as a row of w                                        1.24    0.98    0.99
    the padding of the layers                                     1.07    1.00    1.00
    one subtraction for all layers                                1.01    1.00    1.00
    eta/m in delta_L instead of in the gradient                   1.04    1.00    1.01
    gathering several mini-batches at once                        1.04    1.00    1.00
    mode="clip" for gathering                                     1.10    1.05    1.02
    1/2 and 1 as arrays                                           1.13    1.01    1.00
    arrays that start on cache lines                              1.02    1.00    1.00
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from impls import aligned
from impls.dataset import Dataset
from impls.network import Network
from impls.padded_parameters import PaddedParameters
from impls.tape import Tape, play
from impls.trainer import Order, Trainer

_MOST_AHEAD = 64  # mini-batches gathered at once: more would gain nothing, and each has a tape


class MatrixTuned(Trainer):
    """Trains as `Matrix` does, and writes every result into an array that exists already.

    An example is a row here, as images lie in memory, and z = a w. The bias is a row of w (`PaddedParameters`).
    Shapes: a_l, z_l, delta_l (m, N_l); w_l and nabla_w_l (N_{l-1}, N_l), where N_l is the width of layer l with its padding.

    Because the arrays are always the same, so are the calls: a step runs once, with a `Tape` in place of the array library, and an
    epoch replays the calls on the tape.
    """

    xp: ClassVar[Any] = np
    """The array library."""
    cache: ClassVar[int] = 1 << 18
    """Bytes of images that are gathered at once, if that is more than one mini-batch: a part of a processor's second-level cache."""
    _layout: ClassVar[Any] = PaddedParameters

    def _setup(self, data: Dataset) -> None:
        xp, m, pixels, outputs = self.xp, self.batch_size, self.layers[0], self.layers[-1]
        self._parameters, self._gradient = (self._layout(self.layers, self._empty) for _ in range(2))
        widths = self._parameters.widths
        self._x, self._y = self._zeros(self.examples, widths[0]), self._zeros(self.examples, widths[-1])  # (n, N_0), (n, N_L)
        self._x[:, :pixels] = xp.asarray(data.images, dtype=self.dtype)
        self._x[:, pixels : pixels + 1] = 1  # the unit that is always 1, if the layout has one
        self._y[:, :outputs] = xp.asarray(data.one_hot(outputs, self.dtype))
        # As arrays of the right dtype, because an operation with a Python number takes NumPy twice as long as one with a small array.
        self._half, self._one = np.array(0.5, self.dtype), np.array(1, self.dtype)
        whole, last = divmod(self.examples, m)
        self._batches = {size: self._mini_batch(size, steps) for size, steps in ((m, whole), (last, 1)) if size and steps}

    def _set_weights(self, network: Network) -> None:
        self._parameters.set(network, self.xp.asarray)

    def network(self) -> Network:
        network: Network = self._parameters.network(self._to_host)
        return network

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
            play(batch.steps[: len(rows)])

    def _share(self, m: int) -> slice:
        """Return the slice of a mini-batch's m examples that this trainer computes: all of them."""
        return slice(0, m)

    def _update_mini_batch(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        """Step down the gradient of the mini-batch x (m, N_0), y (m, N_L): w -> w - eta/m sum nabla_w, b likewise, in one subtraction."""
        self._backprop(xp, x, y, layers)
        xp.subtract(self._parameters.flat, self._gradient.flat, out=self._parameters.flat)

    def _backprop(self, xp: Tape, x: Any, y: Any, layers: Layers) -> None:
        """Fill the gradient of eta/m sum C_x."""
        w, nabla_w, a, delta = self._parameters.w, self._gradient.w, [x, *layers.a], [None, *layers.delta]
        for layer in range(len(w)):
            xp.dot(a[layer], w[layer], out=a[layer + 1])
            self._sigmoid(xp, a[layer + 1])
        # eta/m is multiplied in here, where the array is smallest: every delta and nabla_w below is linear in this one.
        self._cost_derivative(xp, a[-1], y, layers.rate, out=delta[-1])
        for layer in range(len(w), 0, -1):
            self._times_sigmoid_prime(xp, delta[layer], a[layer])  # the last factor of BP1 and BP2
            xp.dot(
                a[layer - 1].T, delta[layer], out=nabla_w[layer - 1]
            )  # BP4, summed over the examples; BP3 in the row of the unit that is always 1
            if layer > 1:
                xp.dot(delta[layer], w[layer - 1].T, out=delta[layer - 1])  # BP2

    def _sigmoid(self, xp: Tape, z: Any) -> None:
        """z -> sigmoid(z) in place; sigmoid(z) = tanh(z/2)/2 + 1/2."""
        xp.multiply(z, self._half, out=z)
        xp.tanh(z, out=z)
        xp.multiply(z, self._half, out=z)
        xp.add(z, self._half, out=z)

    def _cost_derivative(self, xp: Tape, a: Any, y: Any, rate: Any, out: Any) -> None:
        """Set out to dC/da = a - y, times eta/m."""
        xp.subtract(a, y, out=out)
        xp.multiply(out, rate, out=out)

    def _times_sigmoid_prime(self, xp: Tape, delta: Any, a: Any) -> None:
        """delta -> delta sigmoid'(z) in place, where sigmoid'(z) = a (1 - a)."""
        work = self._work[: a.size].reshape(a.shape)
        xp.subtract(self._one, a, out=work)
        xp.multiply(work, a, out=work)
        xp.multiply(delta, work, out=delta)

    def _mini_batch(self, size: int, steps: int) -> MiniBatch:
        """Return the buffers and tapes for that many steps of a mini-batch of that size."""
        mine = self._share(size)
        m = mine.stop - mine.start
        widths = self._parameters.widths
        # One gather fetches as many mini-batches as the cache holds, and at least one.
        ahead = min(max(self.cache // (widths[0] * self.dtype.itemsize * max(m, 1)), 1), steps, _MOST_AHEAD)
        x, y = self._empty(ahead, m, widths[0]), self._empty(ahead, m, widths[-1])
        layers = self._layers(m, self.xp.array(self.learning_rate / size, self.dtype))
        tapes = [Tape(self.xp) for _ in range(ahead)]
        for tape, images, desired in zip(tapes, x, y, strict=True):
            self._update_mini_batch(tape, images, desired, layers)
        return MiniBatch(x, y, tapes)

    def _layers(self, m: int, rate: Any) -> Layers:
        a, delta = ([self._empty(m, n) for n in self._parameters.widths[1:]] for _ in range(2))
        return Layers(a, delta, rate)

    @cached_property
    def _work(self) -> Any:
        """Return an array as large as the largest layer."""
        return self._empty(self.batch_size * max(self._parameters.widths[1:]))

    def _zeros(self, *shape: int) -> Any:
        array = self._empty(*shape)
        array[...] = 0
        return array

    def _empty(self, *shape: int) -> Any:
        """Return an uninitialised array of the library."""
        return aligned.empty(shape, self.dtype)

    def _gather(self, rows: Any, examples: Any, out: Any) -> None:
        """Copy rows[examples] into out. With mode="clip" NumPy needs no buffer; `train_epoch` has checked the order."""
        rows.take(examples, axis=0, out=out, mode="clip")

    def _to_host(self, array: Any) -> Any:
        return array


@dataclass(frozen=True)
class MiniBatch:
    """A trainer's share of a mini-batch, m examples: all of them, or its rank's part.

    x, y   (k, m, N_0) and (k, m, N_L): buffers for the images of the next k mini-batches, and for their desired outputs
    steps  k tapes, a step on each of these
    """

    x: Any
    y: Any
    steps: list[Tape]


@dataclass(frozen=True)
class Layers:
    """The buffers of all layers except for the input, for m examples.

    a      a_1 .. a_L, (m, N_l) each; a_l is z_l until its sigmoid is taken
    delta  delta_1 .. delta_L, (m, N_l) each, times eta/m
    rate   eta over the examples of the whole mini-batch
    """

    a: list[Any]
    delta: list[Any]
    rate: Any
