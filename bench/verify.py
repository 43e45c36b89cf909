"""Does a trainer compute the same as the book's algorithm? Asked before anything is timed."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from bench.limits import epoch_work
from bench.workload import Workload
from impls import Network, Splits, Trainer, load_trainer
from impls.network import Array

# Of the distance that the oracle trains, per array. Correct trainers differ by rounding alone: over these few steps by 2e-4 at
# most in float32 and 2e-14 in float64, on the named workloads. A missing 1/m, a stale bias or a skipped example is off by 1e-2 or more.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}

# Above this much work the oracle is the float64 matrix trainer, which the tests hold to the loop: minutes would pass otherwise.
_LOOP_FLOPS = 20e9


class VerificationError(Exception):
    """The trainer does not compute what the oracle computes. The message says by how much."""


class Oracle:
    """The right answer for one workload: a few steps of the float64 loop from the workload's start, on its data.

    data   the examples of those steps
    start  the initial network, in the workload's dtype
    order  (len(data),), the order in which the examples are taken
    """

    def __init__(self, workload: Workload, splits: Splits) -> None:
        data = workload.data(splits)
        m = workload.batch_size
        # 2 to 40 whole mini-batches, about 200 examples, and a short last mini-batch where there can be one. No more steps than that:
        # each amplifies the rounding of those before it, in a correct trainer too.
        self.data = data.first(min(len(data), min(max(2, 200 // m), 40) * m + m // 2))
        self.start = workload.network(self.data)
        self.order = self.data.order(seed=workload.seed)
        self._workload = workload

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train a fresh trainer on the oracle's steps and return its `error`."""
        return self.error(self._train(trainer, self.start))

    def error(self, result: Network) -> float:
        """Return the largest error over the weights and biases of all layers, of a network trained on the oracle's steps.

        The error of an array p is |p - p*| / |p* - p_0|: its distance from the oracle's, relative to how far the oracle's moved.
        Raises VerificationError if that is above the dtype's TOLERANCE, or not a number.
        """
        error = max(
            _distance(mine, right) / max(_distance(right, start), np.finfo(float).tiny)
            for mine, right, start in zip(_arrays(result), _arrays(self._answer), _arrays(self.start), strict=True)
        )
        tolerance = TOLERANCE[self._workload.dtype]
        if not error <= tolerance:  # so that NaN fails too
            raise VerificationError(
                f"does not compute what the float64 loop computes: after {len(self.data)} examples it is off by {error:.1e} of "
                f"the distance trained; {tolerance:.0e} is allowed in {self._workload.dtype}"
            )
        return error

    @cached_property
    def _answer(self) -> Network:
        name = "loop" if epoch_work(self.start.layers, len(self.data), 8).flops <= _LOOP_FLOPS else "matrix"
        return self._train(load_trainer(name), self.start.astype(np.float64))

    def _train(self, trainer: type[Trainer], start: Network) -> Network:
        workload = self._workload
        run = trainer(start, self.data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
        run.train_epoch(self.order)
        return run.network()


def _arrays(network: Network) -> list[Array]:
    return [array.astype(np.float64) for array in (*network.weights, *network.biases)]


def _distance(a: Array, b: Array) -> float:
    return float(np.linalg.norm(a - b))
