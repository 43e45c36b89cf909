"""Verification of trainers on a workload: a few steps before they are timed, and the end of the epoch that was timed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

import numpy as np

from bench.machine.roofline import epoch_work
from bench.verify.epoch_job import EpochJob
from bench.verify.oracle import Oracle, VerificationError, trained, trained_by, verified
from bench.verify.rounding import TOLERANCE, distance, storing
from bench.workload import Workload
from impls import Network, Splits, Trainer, Unsupported, load_trainer, unavailable

# Above this many operations, the oracle uses `matrix`, because `loop` would take minutes. `matrix` must first match `loop` on a part of
# the job with this many operations. On `huge`, that is 17 examples, and each reads 160 MB of weights a few times.
_LOOP_FLOPS = 2e9

# Above this many operations, the right results of an epoch come from `gpu`, if it runs here and is verified. Of the named workloads, only
# `huge` is above, where `matrix` would take a minute.
_MATRIX_FLOPS = 1e12

_STORING = 3  # a correct result may be moved by this multiple of the estimate of `storing`

# An epoch is chaotic if correct results end further apart than this, relative to the distance trained. Then its end shows little, and a
# trainer must also train it with a learning rate at which it is not chaotic. On `nielsen` a tenth is enough.
_CHAOTIC = 0.01
_CALMER, _TIMES = 0.1, 4

# In a chaotic epoch, the accuracy may leave the range of the right ones by this multiple of the range, and by this many test images.
_RANGES, _IMAGES, _SHARE = 3, 3, 0.01


def steps(workload: Workload, splits: Splits) -> EpochJob:
    """Return the job that verifies a trainer: a few steps of the workload, from its initial weights.

    The job has 2 to 40 full mini-batches, about 200 examples, and a short last mini-batch if possible. It is short because each step
    amplifies the rounding errors of earlier steps, even in a correct trainer.
    """
    m, most = workload.batch_size, len(workload.data(splits))
    return whole_epoch(replace(workload, examples=min(most, min(max(2, 200 // m), 40) * m + m // 2)), splits)


def whole_epoch(workload: Workload, splits: Splits) -> EpochJob:
    """Return the job that is timed: one epoch of the workload, from its initial weights."""
    data = workload.data(splits)
    return EpochJob(workload.network(data), data, data.order(seed=workload.seed), workload.batch_size, workload.learning_rate)


def reference(layers: Sequence[int], examples: int, *, gpu: bool) -> str:
    """Return the trainer that computes the right results of an epoch. gpu: whether the trainer `gpu` runs here"""
    return "gpu" if gpu and epoch_work(layers, examples, 8).flops > _MATRIX_FLOPS else "matrix"


def steps_oracle(workload: Workload, splits: Splits, train: Callable[[str, EpochJob], Network] = trained, *, whose: str = "") -> Oracle:
    """Return the oracle of the workload's `steps`: by `loop`, or by `matrix` if `loop` would take minutes.

    The arguments are those of `Oracle`. Raises VerificationError if `matrix` in the workload's dtype does not match the float64 result, or
    if the workload needs `matrix` and it does not match `loop` on fewer examples.
    """
    job = steps(workload, splits)
    each = epoch_work(job.start.layers, len(job.data), 8).flops / len(job.data)
    few = int(_LOOP_FLOPS / each)
    if few < len(job.data):
        data = job.data.first(max(1, few))
        short = replace(job, data=data, order=data.order(seed=workload.seed)).astype(np.float64)
        error = distance(train("matrix", short), train("loop", short), short.start)
        verified(error, TOLERANCE["float64"], short, f"loop{whose}", "matrix, the oracle of a workload this large, ")
    oracle = Oracle(job, "matrix" if few < len(job.data) else "loop", train, whose=whose)
    oracle.tolerance = min(oracle.tolerance, TOLERANCE[job.start.dtype.name])
    moved = storing(oracle.exact, job.start, steps=-(-len(job.data) // job.batch_size))
    worst = max(distance(right, oracle.exact, job.start) for right in oracle.right)
    verified(worst, TOLERANCE[job.start.dtype.name] + _STORING * moved, job, oracle.name, "matrix, the oracle's reference, ")
    return oracle


class Verification:
    """The oracles of one workload.

    steps  the oracle of a few steps
    """

    def __init__(self, workload: Workload, splits: Splits) -> None:
        """Compute the right results of the workload's `steps` now, before a trainer could change the data; others on first use.

        Raises VerificationError as `steps_oracle` does.
        """
        self._workload, self._splits = workload, splits
        self.steps = steps_oracle(workload, splits)

    def max_error(self, trainer: type[Trainer]) -> float:
        """Train the workload's `steps` with a new trainer, in the workload's dtype and in float64, and return its error in the first.

        A trainer may be Unsupported in float64. Raises VerificationError if a result differs from the oracle's.
        """
        job, double = self.steps.job, None
        result = trained_by(trainer, job)
        with suppress(Unsupported):
            double = trained_by(trainer, job.astype(np.float64))  # before the checks: over several ranks, one might fail on one rank only
        error = self.steps.error(result)
        if double is not None:
            self.steps.double_error(double)
        return error

    def compute_epoch(self) -> None:
        """Compute the right results of the timed epoch, for `check_epoch` and `check_calm_epoch`. This takes several epochs of `matrix`."""
        for oracle in (self.epoch, self.calm):
            if oracle is not None:
                oracle.right  # noqa: B018 (computes it)

    def check_epoch(self, network: Network) -> None:
        """Raise VerificationError unless rounding explains the distance of the network after the timed epoch from the right ones.

        In a chaotic epoch, the accuracy on the test images must agree, too.
        """
        self.epoch.error(network)
        if self.calm is None:
            return
        test = self._splits.test
        accuracy, right = network.accuracy(test), [one.accuracy(test) for one in self.epoch.right]
        allowed = _RANGES * (max(right) - min(right)) + max(_IMAGES / len(test), _SHARE)
        if not min(right) - allowed <= accuracy <= max(right) + allowed:
            raise VerificationError(
                f"after the epoch its accuracy is {accuracy:.2%}; that of correct trainers is {min(right):.2%} to {max(right):.2%}",
                self.epoch.name,
                abs(accuracy - right[0]),
            )

    def check_calm_epoch(self, trainer: type[Trainer]) -> None:
        """If the timed epoch is chaotic, train it at a lower learning rate with a new trainer.

        Raises VerificationError if the result differs from the oracle's.
        """
        if self.calm is not None:
            self.calm.error(trained_by(trainer, self.calm.job))

    @cached_property
    def epoch(self) -> Oracle:
        """The oracle of the timed epoch."""
        job = whole_epoch(self._workload, self._splits)
        by = reference(job.start.layers, len(job.data), gpu=not unavailable("gpu"))
        if by != "matrix":
            try:
                self.max_error(load_trainer(by))
            except Exception:  # it may be wrong, or fail in any way; that must not fail the trainer that is verified
                by = "matrix"
        return Oracle(job, by, rounded_by=by)

    @cached_property
    def calm(self) -> Oracle | None:
        """The oracle of the epoch at a learning rate at which it is not chaotic; None if it is not chaotic."""
        calmer = self.epoch
        for _ in range(_TIMES):
            if calmer.tolerance <= _CHAOTIC:
                break
            calmer = Oracle(replace(calmer.job, learning_rate=_CALMER * calmer.job.learning_rate), calmer.name, rounded_by=calmer.name)
        return None if calmer is self.epoch else calmer
