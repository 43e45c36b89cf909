"""The oracle: the reference result in float64, which verifies a trainer before it is timed."""

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

# Above this many operations, the oracle uses `matrix`, because `loop` would take minutes. `matrix` must first match `loop` on a part of
# the job with this many operations. On `huge`, that is 17 examples, and each reads 160 MB of weights a few times.
_LOOP_FLOPS = 2e9


class VerificationError(ContractError):
    """A result differs from the oracle's.

    oracle  the trainer that computed the oracle's result: loop, or matrix
    error   the `rounding.distance` of the two results, above the tolerance; may be NaN
    """

    def __init__(self, message: str, oracle: str, error: float) -> None:
        super().__init__(message)
        self.oracle, self.error = oracle, error


def trained(name: str, job: EpochJob) -> Network:
    """Train the job in this process with the trainer of that name, and return the trained network."""
    return _train(load_trainer(name), job)


def steps(workload: Workload, splits: Splits) -> EpochJob:
    """Return the job that verifies a trainer: a few steps of the workload, from its initial weights.

    The job has 2 to 40 full mini-batches, about 200 examples, and a short last mini-batch if possible. It is short because each step
    amplifies the rounding errors of earlier steps, even in a correct trainer.
    """
    data, m = workload.data(splits), workload.batch_size
    data = data.first(min(len(data), min(max(2, 200 // m), 40) * m + m // 2))
    return EpochJob(workload.network(data), data, data.order(seed=workload.seed), m, workload.learning_rate)


class Oracle:
    """The reference result for one workload: its `steps` in float64, by `loop`, or by `matrix` if `loop` would take minutes.

    `matrix` must first match `loop` on fewer examples.
    """

    def __init__(self, workload: Workload, splits: Splits, train: Callable[[str, EpochJob], Network] = trained, *, whose: str = "") -> None:
        """Compute the reference result.

        train  trains a job with one of the ladder's trainers
        whose  suffix of the oracle's name in messages, if the oracle is not the code that runs here

        Raises VerificationError if the workload needs `matrix` and `matrix` does not match `loop`.
        """
        self._job = steps(workload, splits)  # the oracle trains now, before a trainer could change the data
        exact = replace(self._job, start=self._job.start.astype(np.float64))
        each = epoch_work(exact.start.layers, len(exact.data), 8).flops / len(exact.data)
        by_loop = int(_LOOP_FLOPS / each)  # examples
        self._by, self._whose = "loop", whose
        if by_loop < len(exact.data):
            few = exact.data.first(max(1, by_loop))
            short = replace(exact, data=few, order=few.order(seed=workload.seed))
            self._check(train("matrix", short), train("loop", short), short, "matrix, the oracle of a workload this large, ")
            self._by = "matrix"
        self._answer = train(self._by, exact)

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train the oracle's job with a new trainer and return its `error`."""
        return self.error(_train(trainer, self._job))

    def error(self, result: Network) -> float:
        """Return the `distance` of a network trained on the oracle's job from the reference result.

        Raises VerificationError if the error exceeds the dtype's TOLERANCE, or is NaN.
        """
        return self._check(result, self._answer, self._job)

    def _check(self, result: Network, answer: Network, job: EpochJob, who: str = "") -> float:
        dtype = job.start.dtype.name
        error = distance(result, answer, job.start, steps=-(-len(job.data) // job.batch_size))
        if not error <= TOLERANCE[dtype]:  # so that NaN fails too
            message = (
                f"{who}differs from the float64 {self._by}{self._whose}: after {len(job.data)} examples, its error is {error:.1e} of "
                f"the distance trained; the tolerance in {dtype} is {TOLERANCE[dtype]:.0e}"
            )
            raise VerificationError(message, self._by, error)
        return error


def _train(trainer: type[Trainer], job: EpochJob) -> Network:
    run = trainer(Network(job.start.weights, job.start.biases), job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    run.train_epoch(job.order.copy())
    return run.network()
