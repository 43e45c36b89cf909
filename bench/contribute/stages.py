"""The stages of a contribution as data: the question of each, its cases in order of value, and an estimate of their time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from bench.analysis.timings import BASELINE
from bench.machine.roofline import epoch_work
from bench.measure.rounds import WARM_UP_SECONDS, rounds_that_fit
from bench.stats.intervals import FEWEST
from bench.workload import WORKLOADS, Workload, grid
from impls import Splits, load_trainer

EPOCHS = 30  # of a learning curve, as in the book
_LEARNERS = 3
_ADDED = 2  # trainers in the grid besides loop and matrix

# Seconds, from runs on the machines of results/: 12 cases of nielsen and wide took 1.2 s each besides their epochs.
_START = 4.0  # a process imports its libraries
_CASE = 1.5  # a case verifies twice, measures the machine's peaks and computes the accuracy
_LOOK = 0.05  # a training epoch is followed by the accuracy on the test digits
_LONGEST_ORACLE = 10.0  # above 20 GFLOP matrix replaces loop as the oracle

_GUESS = 10  # a trainer that is not yet measured: this many times as fast as loop
_TRIAL = 100  # examples on which loop is timed, to estimate its epochs
_TRIALS = 4

_SAME_ON_ONE_PROCESS = ("mpi", "mpi_gpu")  # matrix and gpu again


class Case(NamedTuple):
    """One trainer on one workload."""

    workload: Workload
    trainer: str

    @property
    def key(self) -> tuple[str, str]:
        """The workload and the trainer, as the columns of a CSV name them."""
        return self.workload.name, self.trainer

    @property
    def title(self) -> str:
        """The name of the case in messages."""
        return f"{self.workload.name} {self.trainer}"


@dataclass
class Known:
    """What is known of this machine so far: it grows with every stage, and the estimates with it.

    devices    of each trainer that can run here, in ladder order: "cpu" or "gpu"
    workloads  by their names
    size       number of training examples
    seconds    median epoch of each case that was measured, by its key
    trial      estimated epoch of loop, by the workload's name
    """

    devices: Mapping[str, str]
    workloads: Mapping[str, Workload]
    size: int
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    trial: dict[str, float] = field(default_factory=dict)

    def epoch(self, workload: Workload, trainer: str) -> float:
        """Return an estimate of the trainer's epoch on the workload, in seconds.

        An epoch is taken to cost a fixed time a step, an operation, and a weight that a step changes. So it takes at most as many
        times as long as a measured one as it has times the steps, the operations or the changed weights, whichever has grown most.
        The lowest of these bounds is returned.
        """
        measured = {name: seconds for (name, who), seconds in self.seconds.items() if who == trainer}
        if trainer == BASELINE:
            measured = {**self.trial, **measured}
        if not measured:
            return self.epoch(workload, BASELINE) / _GUESS
        if workload.name in measured:
            return measured[workload.name]
        mine = self._cost(workload, trainer)
        others = {name: self._cost(self.workloads[name], trainer) for name in measured}
        return min(seconds * float(np.max(mine / others[name])) for name, seconds in measured.items())

    def fastest(self, count: int, *, on: Sequence[str], without: Sequence[str] = ()) -> list[str]:
        """Return the fastest trainers, in ladder order: those with the least sum of logarithms of their epochs on the workloads."""
        able = [name for name in self.devices if name not in (*_SAME_ON_ONE_PROCESS, *without)]
        on = [workload for workload in on if workload in self.workloads]
        # A workload that a trainer skips counts with its estimate.
        place = {name: sum(np.log(self.epoch(self.workloads[workload], name)) for workload in on) for name in able}
        measured = [name for name in able if any((workload, name) in self.seconds for workload in on)]
        best = sorted(measured or able, key=place.__getitem__)[:count]
        return [name for name in able if name in best]

    def examples(self, workload: Workload) -> int:
        """Return the number of examples in an epoch."""
        return workload.examples or min(self.size, workload.at_most or self.size)

    def _cost(self, workload: Workload, trainer: str) -> np.typing.NDArray[np.float64]:
        """Return the steps of an epoch, its operations and the weights that it changes, (3,).

        loop calls NumPy for each example and each step; beside that, the weights cost little.
        """
        layers, examples = (784, *workload.hidden, 10), self.examples(workload)
        steps, operations = -(-examples // workload.batch_size), epoch_work(layers, examples, 4).flops
        if trainer == BASELINE:
            return np.array([examples + steps, operations, 1], np.float64)
        weights = sum(below * above for below, above in pairwise(layers))
        return np.array([steps, operations, steps * weights], np.float64)


@dataclass(frozen=True)
class Stage:
    """One run of a command, and the CSV that it adds to.

    name       in messages
    question   what its figures answer
    file       name of the CSV
    workloads  in order of value
    trainers   returns the trainers to measure, from what is known by then
    epochs     of a training; None for timed epochs
    shortens   whether it may time FEWEST rounds a case if more do not fit into the time
    """

    name: str
    question: str
    file: str
    workloads: tuple[Workload, ...]
    trainers: Callable[[Known], list[str]]
    epochs: int | None = None
    shortens: bool = False

    @property
    def kind(self) -> str:
        """The rows' column `kind`."""
        return "training" if self.epochs else "timing"

    def cases(self, known: Known) -> list[Case]:
        """Return the cases, the most valuable first."""
        return [Case(workload, trainer) for workload in self.workloads for trainer in self.trainers(known)]

    def seconds(self, cases: Sequence[Case], known: Known, rounds: int | None) -> list[float]:
        """Return an estimate of each case's time, in seconds. The first one includes the start of the process.

        rounds: of timed epochs; None: as many as the command chooses
        """
        found: list[float] = []
        for place, case in enumerate(cases):
            epoch, examples = known.epoch(*case), known.examples(case.workload)
            seconds = _CASE + _epochs(epoch, self.epochs, rounds)
            if case.workload not in [other.workload for other in cases[:place]]:
                verified = min(1.0, max(200.0, 2.5 * case.workload.batch_size) / examples)  # see verify.steps
                seconds += min(verified * known.epoch(case.workload, BASELINE), _LONGEST_ORACLE)
            if self.epochs or not found:
                seconds += _START
            found.append(seconds)
        return found


def _epochs(epoch: float, training: int | None, rounds: int | None) -> float:
    """Return the time that a case's epochs take, with the warm-up."""
    if training:
        return training * (epoch + _LOOK)
    return max(WARM_UP_SECONDS, epoch) + (rounds or rounds_that_fit(epoch)) * epoch


def stages(examples: int | None = None) -> list[Stage]:
    """Return all stages, the most valuable first.

    examples: the training examples of an epoch, if not all. A workload whose mini-batch does not fit in them is left out.
    """

    def jobs(*workloads: Workload) -> tuple[Workload, ...]:
        return tuple(replace(one, examples=examples) for one in workloads if examples is None or one.batch_size <= examples)

    # From coarse to fine, so that a grid that is cut short still spans all sizes.
    coarse = [(width, batch) for batches in ((1, 100, 10_000), (10, 1000)) for width in (30, 1000) for batch in batches]
    cells = [grid([batch], [width])[0] for width, batch in [*coarse, *((100, batch) for batch in (1, 10, 100, 1000, 10_000))]]
    named = jobs(WORKLOADS["nielsen"], WORKLOADS["wide"])
    large = jobs(WORKLOADS["large"])
    found = [
        Stage("main", "how fast is each trainer on a small network?", "main.csv", named, lambda known: list(known.devices)),
        Stage("large", "how fast on one with 1,000 hidden units?", "large.csv", large, lambda known: _but(known, BASELINE)),
        Stage("book", "how fast do the three fastest learn?", "book.csv", named[:1], _learners, epochs=EPOCHS),
        Stage("grid", "which trainer wins at which batch size and width?", "grid.csv", jobs(*cells), _mapped, shortens=True),
        Stage("huge", "how far does a GPU get?", "huge.csv", jobs(WORKLOADS["huge"]), _on_gpu),
        Stage(
            "large-loop",
            "how slow is the loop on large?",
            "large.csv",
            large,
            lambda known: [BASELINE] if BASELINE in known.devices else [],
        ),
    ]
    return [stage for stage in found if stage.workloads]


def _but(known: Known, name: str) -> list[str]:
    return [trainer for trainer in known.devices if trainer != name]


def _learners(known: Known) -> list[str]:
    return known.fastest(_LEARNERS, on=["nielsen"])


def _mapped(known: Known) -> list[str]:
    always = [name for name in (BASELINE, "matrix") if name in known.devices]
    return always + known.fastest(_ADDED, on=["nielsen", "wide"], without=always)


def _on_gpu(known: Known) -> list[str]:
    return [trainer for trainer, device in known.devices.items() if device == "gpu"]


def trial(workload: Workload, splits: Splits) -> float:
    """Return an estimate of an epoch of loop, in seconds: the best of a few on a few examples.

    On one thread, because on a busy machine the threads of a small product wait for each other most of the time.
    """
    whole = workload.data(splits)
    few = whole.first(min(len(whole), _TRIAL))
    rate, order = workload.learning_rate, few.order(seed=0)
    loop = load_trainer(BASELINE)(workload.network(few), few, batch_size=min(workload.batch_size, len(few)), learning_rate=rate)
    times = []
    with threadpool_limits(1):
        for _ in range(_TRIALS):
            begin = time.perf_counter()
            loop.train_epoch(order)
            times.append(time.perf_counter() - begin)
    return min(times) * len(whole) / len(few)


def fitting(seconds: Sequence[float], left: float) -> int:
    """Return how many of the cases, from the first, fit into the time that is left."""
    return int(np.searchsorted(np.cumsum(seconds), left, side="right"))


SHORT = FEWEST  # rounds of a case in a stage that shortens
