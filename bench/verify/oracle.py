"""Does a trainer compute the same as the book's algorithm? Asked before anything is timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bench.machine.roofline import epoch_work
from bench.verify.contract import ContractError
from bench.verify.epoch_job import EpochJob
from bench.verify.rounding import TOLERANCE, distance
from bench.workload import Workload
from impls import Network, Splits, Trainer, load_trainer

# Above this much work the oracle is `matrix`, minutes would pass otherwise; and it is held to `loop` on this much of it first. On `huge`
# that is 17 examples, of which each passes over 160 MB of weights a few times.
_LOOP_FLOPS = 2e9


class VerificationError(ContractError):
    """The trainer does not compute what the oracle computes. The message says by how much."""


def trained(name: str, job: EpochJob) -> Network:
    """Train the job with the trainer of that name, here, and return where it ends."""
    return _train(load_trainer(name), job)


def steps(workload: Workload, splits: Splits) -> EpochJob:
    """Return the steps by which a trainer is verified: a few of the workload's own, from its start.

    They are 2 to 40 whole mini-batches, about 200 examples, and a short last mini-batch where there can be one. No more than that: each
    step amplifies the rounding of those before it, in a correct trainer too.
    """
    data, m = workload.data(splits), workload.batch_size
    data = data.first(min(len(data), min(max(2, 200 // m), 40) * m + m // 2))
    return EpochJob(workload.network(data), data, data.order(seed=workload.seed), m, workload.learning_rate)


class Oracle:
    """The right answer for one workload: where its `steps` lead in float64, by the loop or, where that would take minutes, by `matrix`.

    `matrix` must first end where the loop does, on fewer examples.
    """

    def __init__(self, workload: Workload, splits: Splits, train: Callable[[str, EpochJob], Network] = trained, *, whose: str = "") -> None:
        """Compute the answer.

        train  trains a job with one of the ladder's trainers
        whose  what messages add to the oracle's name, where it is not the code that runs here
        Raises VerificationError if `matrix` is needed and is no oracle.
        """
        self._job = steps(workload, splits)  # and the answer is known before a trainer has the data in its hands
        exact = replace(self._job, start=self._job.start.astype(np.float64))
        each = epoch_work(exact.start.layers, len(exact.data), 8).flops / len(exact.data)
        by_loop = int(_LOOP_FLOPS / each)  # examples
        self._name = f"the float64 loop{whose}"
        if by_loop < len(exact.data):
            few = exact.data.first(max(1, by_loop))
            short = replace(exact, data=few, order=few.order(seed=workload.seed))
            self._check(train("matrix", short), train("loop", short), short, "matrix, the oracle of so large a workload, ")
            self._name = f"the float64 matrix{whose}"
        self._answer = train("loop" if by_loop >= len(exact.data) else "matrix", exact)

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train a fresh trainer on the oracle's steps and return its `error`."""
        return self.error(_train(trainer, self._job))

    def error(self, result: Network) -> float:
        """Return the `distance` of a network trained on the oracle's steps from the oracle's.

        Raises VerificationError if that is above the dtype's TOLERANCE, or not a number.
        """
        return self._check(result, self._answer, self._job)

    def _check(self, result: Network, answer: Network, job: EpochJob, who: str = "") -> float:
        dtype = job.start.dtype.name
        error = distance(result, answer, job.start, steps=-(-len(job.data) // job.batch_size))
        if not error <= TOLERANCE[dtype]:  # so that NaN fails too
            raise VerificationError(
                f"{who}does not compute what {self._name} computes: after {len(job.data)} examples it is off by {error:.1e} of "
                f"the distance trained; {TOLERANCE[dtype]:.0e} is allowed in {dtype}"
            )
        return error


def _train(trainer: type[Trainer], job: EpochJob) -> Network:
    run = trainer(Network(job.start.weights, job.start.biases), job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    run.train_epoch(job.order.copy())
    return run.network()
