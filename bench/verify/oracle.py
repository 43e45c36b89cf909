"""The oracle: the right results of a job, and how far rounding may lead a correct trainer away from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import combinations

import numpy as np

from bench.verify.contract import ContractError
from bench.verify.epoch_job import EpochJob
from bench.verify.rounding import TOLERANCE, distance, tolerance
from bench.verify.symmetry import Symmetry
from impls import Network, Trainer, load_trainer

_SYMMETRIES = 2  # with the unchanged job, three results, whose largest distance varies little


class VerificationError(ContractError):
    """A result differs from the oracle's.

    oracle  the trainer that computed the oracle's result: loop, matrix or gpu
    error   the `rounding.distance` of the two results, above the tolerance; may be NaN
    """

    def __init__(self, message: str, oracle: str, error: float) -> None:
        super().__init__(message)
        self.oracle, self.error = oracle, error


def trained(name: str, job: EpochJob) -> Network:
    """Train the job in this process with the trainer of that name, and return the trained network."""
    return trained_by(load_trainer(name), job)


def trained_by(trainer: type[Trainer], job: EpochJob) -> Network:
    """Train the job in this process with a new trainer, and return the trained network."""
    run = trainer(Network(job.start.weights, job.start.biases), job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    run.train_epoch(job.order.copy())
    return run.network()


class Oracle:
    """The right results of one job: in float64, and rounded to the job's dtype after every operation, in several orders of summation.

    A float32 trainer stores its weights as float32 after each step. This moves all correct trainers away from the float64 result, by up
    to 1e-3 of the distance trained, but all of them to nearly the same place. So the error of a result is its distance from the nearest
    right result. The tolerance follows from the distances between the right results in the job's dtype, which only rounding explains.

    name       name of the oracle in messages
    tolerance  the largest error of a correct trainer
    """

    def __init__(
        self,
        job: EpochJob,
        by: str = "matrix",
        train: Callable[[str, EpochJob], Network] = trained,
        *,
        rounded_by: str = "matrix",
        whose: str = "",
    ) -> None:
        """Compute the right results in the job's dtype.

        by          the trainer of the float64 result
        train       trains a job with one of the ladder's trainers
        rounded_by  the trainer of the results in the job's dtype
        whose       suffix of the oracle's name in messages, if the oracle is not the code that runs here
        """
        self.job = job
        self.name = by + whose
        self._by, self._train = by, train
        symmetries = [Symmetry(job.start.layers, seed) for seed in range(_SYMMETRIES)]
        self._rounded = [train(rounded_by, job), *(each.undone(train(rounded_by, each.applied(job))) for each in symmetries)]
        spread = max(distance(one, other, job.start) for one, other in combinations(self._rounded, 2))
        self.tolerance = tolerance(spread, job.start.dtype)

    @cached_property
    def exact(self) -> Network:
        """The result in float64."""
        return self._train(self._by, self.job.astype(np.float64))

    @cached_property
    def right(self) -> list[Network]:
        """All right results, in the job's dtype."""
        return [self.exact.astype(self.job.start.dtype), *self._rounded]

    def error(self, result: Network) -> float:
        """Return the `distance` of a network that a trainer trained on this job from the nearest right result.

        Raises VerificationError if the error exceeds the tolerance, or is NaN.
        """
        error = float(np.min([distance(result, right, self.job.start) for right in self.right]))
        return verified(error, self.tolerance, self.job, self.name)

    def double_error(self, result: Network) -> float:
        """Return the `distance` of a network that a trainer trained on this job in float64 from the result in float64.

        Raises VerificationError if the error exceeds the TOLERANCE, or is NaN.
        """
        double = self.job.astype(np.float64)
        return verified(distance(result, self.exact, double.start), TOLERANCE["float64"], double, self.name)


def verified(error: float, allowed: float, job: EpochJob, oracle: str, who: str = "") -> float:
    """Return the error of a result for the job. Raises VerificationError if it exceeds the allowed error, or is NaN.

    oracle, who  in the message, the oracle, and the trainer if it is not the one that the run verifies
    """
    if not error <= allowed:  # so that NaN fails too
        raise VerificationError(
            f"{who}differs from the float64 {oracle}: after {len(job.data)} examples at learning rate {job.learning_rate:g}, its error is "
            f"{error:.1e} of the distance trained; the tolerance in {job.start.dtype} is {allowed:.1e}",
            oracle.partition(" ")[0],
            error,
        )
    return error
