"""Stages of a contribution: the question of each, its cases in order of value, and an estimate of their time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench.analysis.timings import BASELINE
from bench.anatomy import calls
from bench.contribute.estimator import Estimator
from bench.measure.case import Case
from bench.measure.round_count import WARM_UP_SECONDS, rounds_that_fit
from bench.verify.verification import reference
from bench.workload import WORKLOADS, Workload, grid

EPOCHS = 30  # per learning curve, as in the book
_LEARNERS = 3
_MAPPED = {"cpu": 1, "gpu": 2}  # trainers per device in the grid, besides matrix; without a GPU, two on the CPU

_SMALL = WORKLOADS["nielsen"]

# Seconds, from runs on the machines in results/: 12 cases of nielsen and wide took 1.2 s each, in addition to their epochs.
_START = 4.0  # to import the libraries of a process
_CASE = 1.5  # to verify a case twice, measure the machine's peaks and compute the accuracy
_CALLS = 1.0  # to construct the trainers of the fit; JAX compiles each
_ACCURACY = 0.05  # to compute the test accuracy after a training epoch
_LONGEST_ORACLE = 10.0  # above 2 GFLOP matrix replaces loop as the oracle
_EPOCH_ORACLE = 10  # epochs of matrix or gpu that the oracle of the timed epoch takes: several in float32, some in float64


@dataclass(frozen=True)
class Stage:
    """One run of a command, and the CSV that gets its rows.

    name       in messages
    question   that the results answer
    file       name of the CSV
    workloads  in order of value
    trainers   returns the trainers to measure, given the measurements so far
    epochs     per training; None: timed epochs
    shortens   whether it may time only FEWEST rounds per case if the time is short
    anatomy    whether it also measures the calls of each epoch
    """

    name: str
    question: str
    file: str
    workloads: tuple[Workload, ...]
    trainers: Callable[[Estimator], list[str]]
    epochs: int | None = None
    shortens: bool = False
    anatomy: bool = False

    @property
    def kind(self) -> str:
        """The value of the column `kind`."""
        return "training" if self.epochs else "timing"

    def cases(self, estimator: Estimator) -> list[Case]:
        """Return the cases, most valuable first."""
        return [Case(workload, trainer) for workload in self.workloads for trainer in self.trainers(estimator)]

    def seconds(self, cases: Sequence[Case], estimator: Estimator, rounds: int | None) -> list[float]:
        """Return an estimate of the time of each case, in seconds. The first one includes the start of the process.

        rounds: timed epochs per case; None: the command chooses
        """
        estimates: list[float] = []
        for position, case in enumerate(cases):
            epoch, examples = estimator.epoch(case.workload, case.trainer), estimator.examples(case.workload)
            seconds = _CASE + self._epochs(epoch, rounds)
            if self.anatomy:  # the calls of a larger network take no longer than the whole epoch of a small one
                seconds += _CALLS + calls.expected_seconds(epoch, estimator.epoch(_SMALL, case.trainer))
            if self.epochs or case.workload not in [other.workload for other in cases[:position]]:  # each training is a process of its own
                verified = min(1.0, max(200.0, 2.5 * case.workload.batch_size) / examples)  # see bench.verify.verification
                seconds += min(verified * estimator.epoch(case.workload, BASELINE), _LONGEST_ORACLE)
                layers = (784, *case.workload.hidden, 10)
                seconds += _EPOCH_ORACLE * estimator.epoch(case.workload, reference(layers, examples, gpu="gpu" in estimator.devices))
            if self.epochs or position == 0:
                seconds += _START
            estimates.append(seconds)
        return estimates

    def _epochs(self, epoch: float, rounds: int | None) -> float:
        """Return the time of the epochs of a case, including the warm-up."""
        if self.epochs:
            return self.epochs * (epoch + _ACCURACY)
        return max(WARM_UP_SECONDS, epoch) + (rounds or rounds_that_fit(epoch)) * epoch


def stages(examples: int | None = None) -> list[Stage]:
    """Return all stages, most valuable first.

    examples: number of training examples per epoch; None: all. Workloads with a larger mini-batch are skipped.
    """

    def jobs(*workloads: Workload) -> tuple[Workload, ...]:
        return tuple(replace(one, examples=examples) for one in workloads if examples is None or one.batch_size <= examples)

    # From coarse to fine, so that a shortened grid still spans all sizes.
    coarse = [(width, batch) for batches in ((1, 100, 10_000), (10, 1000)) for width in (30, 1000) for batch in batches]
    cells = [grid([batch], [width])[0] for width, batch in [*coarse, *((100, batch) for batch in (1, 10, 100, 1000, 10_000))]]
    named, large = jobs(WORKLOADS["nielsen"], WORKLOADS["wide"]), jobs(WORKLOADS["large"])
    every = [
        Stage("main", "how fast is each trainer on a small network?", "main.csv", named, lambda here: list(here.devices), anatomy=True),
        Stage("large", "how fast is each trainer with 1,000 hidden units?", "large.csv", large, _all_but_loop, anatomy=True),
        Stage("book", "how fast do the three fastest trainers learn?", "book.csv", named[:1], _learners, epochs=EPOCHS),
        Stage("huge", "how fast is a GPU on the largest network?", "huge.csv", jobs(WORKLOADS["huge"]), _on_gpu),
        Stage("grid", "which trainer is fastest at each mini-batch size and width?", "grid.csv", jobs(*cells), _mapped, shortens=True),
        # loop takes longer than all other trainers together, and is never the fastest.
        Stage("large-loop", "how slow is loop with 1,000 hidden units?", "large.csv", large, _only_loop, anatomy=True),
        Stage("grid-loop", "how slow is loop at each mini-batch size and width?", "grid.csv", jobs(*cells), _only_loop, shortens=True),
    ]
    return [stage for stage in every if stage.workloads]


def _all_but_loop(estimator: Estimator) -> list[str]:
    return [trainer for trainer in estimator.devices if trainer != BASELINE]


def _only_loop(estimator: Estimator) -> list[str]:
    return [BASELINE] if BASELINE in estimator.devices else []


def _learners(estimator: Estimator) -> list[str]:
    return estimator.fastest(_LEARNERS, on=["nielsen"])


def _mapped(estimator: Estimator) -> list[str]:
    devices = estimator.devices
    counts = _MAPPED if "gpu" in devices.values() else {"cpu": 2}
    mapped = {"matrix"}
    for kind, count in counts.items():
        others = [name for name, device in devices.items() if device != kind or name in (BASELINE, "matrix")]
        mapped.update(estimator.fastest(count, on=["nielsen", "wide"], without=others))
    return [name for name in devices if name in mapped]


def _on_gpu(estimator: Estimator) -> list[str]:
    return [trainer for trainer, device in estimator.devices.items() if device == "gpu"]
