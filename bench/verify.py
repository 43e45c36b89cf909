"""Does a trainer compute the same as the book's algorithm? Asked before anything is timed."""

from __future__ import annotations

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


class ContractError(Exception):
    """A trainer broke a promise of `impls.trainer.Trainer`. The message says what it does."""


class VerificationError(ContractError):
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
        name = "loop" if epoch_work(self.start.layers, len(self.data), 8).flops <= _LOOP_FLOPS else "matrix"
        self._answer = self._train(load_trainer(name), self.start.astype(np.float64))  # before a trainer had the data in its hands

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train a fresh trainer on the oracle's steps and return its `error`."""
        return self.error(self._train(trainer, self.start))

    def error(self, result: Network) -> float:
        """Return the `distance` of a network trained on the oracle's steps from the oracle's.

        Raises VerificationError if that is above the dtype's TOLERANCE, or not a number.
        """
        error = distance(result, self._answer, self.start)
        tolerance = TOLERANCE[self._workload.dtype]
        if not error <= tolerance:  # so that NaN fails too
            raise VerificationError(
                f"does not compute what the float64 loop computes: after {len(self.data)} examples it is off by {error:.1e} of "
                f"the distance trained; {tolerance:.0e} is allowed in {self._workload.dtype}"
            )
        return error

    def _train(self, trainer: type[Trainer], start: Network) -> Network:
        workload = self._workload
        run = trainer(Network(start.weights, start.biases), self.data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
        run.train_epoch(self.order.copy())
        return run.network()


def distance(one: Network, other: Network, start: Network) -> float:
    """Return how far two networks that were trained from one start are apart: the largest over the weights and biases of all layers.

    For an array p it is |p - p*| / |p* - p_0|: its distance from the other's, relative to how far the other's moved.
    """
    each = [
        _norm(p - right) / max(_norm(right - before), np.finfo(float).tiny)
        for p, right, before in zip(_arrays(one), _arrays(other), _arrays(start), strict=True)
    ]
    return float(np.max(each))  # NaN if any is, which Python's max passes over


def _arrays(network: Network) -> list[Array]:
    return [array.astype(np.float64) for array in (*network.weights, *network.biases)]


def _norm(array: Array) -> float:
    return float(np.linalg.norm(array))
