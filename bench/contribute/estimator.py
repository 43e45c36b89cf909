"""Estimates of epochs, from what was measured on this machine so far."""

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

_GUESS = 10  # a trainer that is not yet measured: this many times as fast as loop
_TRIED = ("nielsen", "wide", "large")  # workloads on which loop is tried before anything is measured
_TRIAL_EXAMPLES = 100
_TRIALS = 4

_SAME_ON_ONE_PROCESS = ("mpi", "mpi_gpu")  # matrix_tuned and gpu_tuned again


@dataclass
class Estimator:
    """What this machine can run, and how long its epochs take. It grows with every stage.

    devices    of each trainer that can run here, in ladder order: "cpu" or "gpu"
    workloads  by their names
    size       number of training examples
    seconds    median epoch of each measured case, by its key
    trials     estimated epoch of loop, by the workload's name
    """

    devices: Mapping[str, str]
    workloads: Mapping[str, Workload]
    size: int
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    trials: dict[str, float] = field(default_factory=dict)

    def epoch(self, workload: Workload, trainer: str) -> float:
        """Return an estimate of the trainer's epoch on the workload, in seconds.

        An epoch is taken to cost a fixed time a step, an operation, and a weight that a step changes. So it takes at most as many
        times as long as a measured one as it has times the steps, the operations or the changed weights, whichever has grown most.
        The lowest of these bounds is returned.
        """
        measured = {name: seconds for (name, other), seconds in self.seconds.items() if other == trainer}
        if trainer == BASELINE:
            measured = {**self.trials, **measured}
        if not measured:
            return self.epoch(workload, BASELINE) / _GUESS
        if workload.name in measured:
            return measured[workload.name]
        cost = self._cost(workload, trainer)
        return min(seconds * float(np.max(cost / self._cost(self.workloads[name], trainer))) for name, seconds in measured.items())

    def fastest(self, count: int, *, on: Sequence[str], without: Sequence[str] = ()) -> list[str]:
        """Return the fastest trainers, in ladder order: those with the least sum of logarithms of their epochs on the workloads."""
        trainers = [name for name in self.devices if name not in (*_SAME_ON_ONE_PROCESS, *without)]
        on = [workload for workload in on if workload in self.workloads]
        # A workload that a trainer skips counts with its estimate.
        sums = {name: sum(np.log(self.epoch(self.workloads[workload], name)) for workload in on) for name in trainers}
        measured = [name for name in trainers if any((workload, name) in self.seconds for workload in on)]
        best = sorted(measured or trainers, key=sums.__getitem__)[:count]
        return [name for name in trainers if name in best]

    def examples(self, workload: Workload) -> int:
        """Return the number of examples in an epoch."""
        return workload.examples or min(self.size, workload.at_most or self.size)

    def try_loop(self, splits: Splits) -> None:
        """Estimate the epochs of loop, if it can run here."""
        if not unavailable(BASELINE):
            self.trials = {name: trial(self.workloads[name], splits) for name in _TRIED if name in self.workloads}

    def _cost(self, workload: Workload, trainer: str) -> npt.NDArray[np.float64]:
        """Return the steps of an epoch, its operations and the weights that it changes, (3,).

        loop calls NumPy for each example and each step; beside that, the weights cost little.
        """
        layers, examples = (784, *workload.hidden, 10), self.examples(workload)
        steps, operations = -(-examples // workload.batch_size), epoch_work(layers, examples, 4).flops
        if trainer == BASELINE:
            return np.array([examples + steps, operations, 1], np.float64)
        weights = sum(below * above for below, above in pairwise(layers))
        return np.array([steps, operations, steps * weights], np.float64)


def trial(workload: Workload, splits: Splits) -> float:
    """Return an estimate of an epoch of loop, in seconds: the best of a few on a few examples.

    On one thread, because on a busy machine the threads of a small product wait for each other most of the time.
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
