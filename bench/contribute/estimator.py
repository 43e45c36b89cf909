"""Estimates of epoch times, from the measurements on this machine so far."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from bench.analysis.timings import BASELINE
from bench.machine.roofline import epoch_work
from bench.workload import Workload
from impls import Splits, load_trainer, unavailable

_GUESS = 10  # assumed speedup over loop of a trainer without measurements
_TRIED = ("nielsen", "wide", "large")  # workloads on which a trial of loop precedes the stages
_TRIAL_EXAMPLES = 100
_TRIALS = 4

_SAME_ON_ONE_PROCESS = ("mpi", "mpi_gpu")  # the same as matrix_tuned and gpu_tuned


@dataclass
class Estimator:
    """The trainers that can run here, and estimates of their epochs. Each stage adds measurements.

    devices    "cpu" or "gpu" for each trainer that can run here, in ladder order
    workloads  by name
    size       number of training examples
    seconds    median epoch of each measured case, by its key
    trials     estimated epoch of loop, by the name of the workload
    """

    devices: Mapping[str, str]
    workloads: Mapping[str, Workload]
    size: int
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    trials: dict[str, float] = field(default_factory=dict)

    def epoch(self, workload: Workload, trainer: str) -> float:
        """Return an estimate of the trainer's epoch on the workload, in seconds.

        The model: an epoch costs a fixed time per step, per operation, and per weight that a step changes. Compared with a measured
        workload, each of the three counts grows by a factor, and the epoch grows by at most the largest one. This gives an upper bound
        for each measured workload. Another bound is the epoch of loop, times the largest measured ratio to loop if
        that is above 1. The estimate is the lowest bound.
        """
        measured = {name: seconds for (name, other), seconds in self.seconds.items() if other == trainer}
        if trainer == BASELINE:
            measured = {**self.trials, **measured}
        if not measured:
            return self.epoch(workload, BASELINE) / _GUESS
        if workload.name in measured:
            return measured[workload.name]
        cost = self._cost(workload, trainer)
        bounds = [seconds * float(np.max(cost / self._cost(self.workloads[name], trainer))) for name, seconds in measured.items()]
        if trainer != BASELINE and (loop := {**self.trials, **{name: s for (name, other), s in self.seconds.items() if other == BASELINE}}):
            ratios = [seconds / loop[name] for name, seconds in measured.items() if name in loop]
            bounds.append(max(1.0, *ratios) * self.epoch(workload, BASELINE) if ratios else float("inf"))
        return min(bounds)

    def fastest(self, count: int, *, on: Sequence[str], without: Sequence[str] = ()) -> list[str]:
        """Return the `count` fastest trainers, in ladder order: those with the smallest geometric mean of their epochs."""
        trainers = [name for name in self.devices if name not in (*_SAME_ON_ONE_PROCESS, *without)]
        on = [workload for workload in on if workload in self.workloads]
        # If a trainer skips a workload, its estimate counts.
        sums = {name: sum(np.log(self.epoch(self.workloads[workload], name)) for workload in on) for name in trainers}
        measured = [name for name in trainers if any((workload, name) in self.seconds for workload in on)]
        best = sorted(measured or trainers, key=sums.__getitem__)[:count]
        return [name for name in trainers if name in best]

    def examples(self, workload: Workload) -> int:
        """Return the number of examples in an epoch."""
        return workload.examples or min(self.size, workload.at_most or self.size)

    def try_loop(self, splits: Splits) -> None:
        """Estimate the epochs of loop by short trials, if loop can run here."""
        if not unavailable(BASELINE):
            self.trials = {name: trial(self.workloads[name], splits) for name in _TRIED if name in self.workloads}

    def _cost(self, workload: Workload, trainer: str) -> npt.NDArray[np.float64]:
        """Return the number of steps, operations and changed weights of an epoch, (3,).

        loop calls NumPy for each example and each step. Compared with these calls, changing the weights costs little.
        """
        layers, examples = (784, *workload.hidden, 10), self.examples(workload)
        steps, operations = -(-examples // workload.batch_size), epoch_work(layers, examples, 4).flops
        if trainer == BASELINE:
            return np.array([examples + steps, operations, 1], np.float64)
        weights = sum(below * above for below, above in pairwise(layers))
        return np.array([steps, operations, steps * weights], np.float64)


def trial(workload: Workload, splits: Splits) -> float:
    """Return an estimate of an epoch of loop, in seconds: the best of a few trials on a few examples.

    The trials use one thread. On a busy machine, several threads of a small product spend most of the time waiting for each other.
    """
    data = workload.data(splits)
    few = data.first(min(len(data), _TRIAL_EXAMPLES))
    rate, order = workload.learning_rate, few.order(seed=0)
    loop = load_trainer(BASELINE)(workload.network(few), few, batch_size=min(workload.batch_size, len(few)), learning_rate=rate)
    times = []
    with threadpool_limits(1):
        for _ in range(_TRIALS):
            begin = time.perf_counter()
            loop.train_epoch(order)
            times.append(time.perf_counter() - begin)
    return min(times) * len(data) / len(few)
