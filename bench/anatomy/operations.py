"""Time of each kind of operation in a trainer whose step is a list of array operations, `matrix_tuned` and its subclasses on a CPU."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from bench.machine.roofline import Peaks
from bench.stats.intervals import FEWEST
from bench.verify.epoch_job import EpochJob
from impls import Trainer
from impls.matrix_tuned import Layers, MatrixTuned
from impls.tape import Tape

FORWARD, WEIGHTS, BACKWARD = "product forward", "product backward: gradient", "product backward: delta"
# In the order of a step.
KINDS = ("gather", FORWARD, "sigmoid", "cost derivative", "sigmoid derivative", WEIGHTS, BACKWARD, "update", "other")
BETWEEN = "Python between the operations"
_MOST_ROUNDS, _SECONDS = 40, 5.0


class Operation(NamedTuple):
    """All operations of one kind in an epoch.

    seconds  their time, the median of the epochs; 0 if it is too short for the clock
    calls    their number
    flops    floating-point operations of products; 0 for other kinds
    bytes    size of the arrays that they read and write
    """

    kind: str
    seconds: float
    calls: int
    flops: int
    bytes: int

    def of_peak(self, peaks: Peaks) -> float:
        """Return the fraction of the peak: of the product's for a product, else of the copy's, which caches may exceed."""
        return (self.flops / peaks.flops if self.flops else self.bytes / peaks.bytes) / self.seconds if self.seconds else math.nan


@dataclass(frozen=True)
class Operations:
    """The operations of an epoch.

    epoch    seconds of an epoch in which they are not timed one by one
    between  seconds of the epoch outside of the operations; noise may make it negative
    kinds    the kinds that occur, in the order of KINDS
    """

    trainer: str
    epoch: float
    between: float
    kinds: tuple[Operation, ...]


def has_operations(trainer: type[Trainer]) -> bool:
    """Return whether `measure` supports the trainer."""
    return issubclass(trainer, MatrixTuned) and trainer.xp is np


def measure(name: str, trainer: type[Trainer], job: EpochJob) -> Operations:
    """Measure the operations of the job's epoch. trainer: one that `has_operations`"""
    watch = _Watch()
    plain, observed = (
        kind(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
        for kind in (trainer, _observed(trainer, watch))
    )
    cost, begun = _cost_of_timing(), perf_counter()
    epochs, timed = list[float](), list[Mapping[str, _Total]]()
    while len(epochs) <= FEWEST or (len(epochs) <= _MOST_ROUNDS and perf_counter() - begun < _SECONDS):
        for each in (plain, observed):  # in turn, so that a disturbance affects both alike
            each.load(job.start)
            watch.totals = {}
            begin = perf_counter()
            each.train_epoch(job.order)
            seconds = perf_counter() - begin
            if each is plain:
                epochs.append(seconds)
            else:
                timed.append({kind: replace(total, seconds=total.seconds - cost * total.calls) for kind, total in watch.totals.items()})
    del epochs[0], timed[0]  # the warm-up
    between = [epoch - sum(total.seconds for total in totals.values()) for epoch, totals in zip(epochs, timed, strict=True)]
    kinds = (
        Operation(kind, max(median(totals[kind].seconds for totals in timed), 0.0), total.calls, total.flops, total.bytes)
        for kind, total in sorted(timed[0].items(), key=lambda item: KINDS.index(item[0]))
    )
    return Operations(name, median(epochs), median(between), tuple(kinds))


@dataclass
class _Total:
    seconds: float = 0.0
    calls: int = 0
    flops: int = 0
    bytes: int = 0


class _Watch:
    """Times calls, and adds up the times of each kind."""

    def __init__(self) -> None:
        self.totals: dict[str, _Total] = {}

    def call(self, kind: str, flops: int, moved: int, function: Callable[..., Any], *arguments: Any) -> None:
        begin = perf_counter()
        function(*arguments)
        seconds = perf_counter() - begin
        total = self.totals.get(kind) or self.totals.setdefault(kind, _Total())
        total.seconds += seconds
        total.calls += 1
        total.flops += flops
        total.bytes += moved


class _Section:
    """A tape whose operations are timed. kind: returns the kind of an operation, given its function's name and its output"""

    def __init__(self, tape: Tape, watch: _Watch, kind: Callable[[str, Any], str]) -> None:
        self._tape, self._watch, self._kind = tape, watch, kind

    def __getattr__(self, name: str) -> Callable[..., None]:
        function = getattr(np, name)

        def record(*arguments: Any, out: Any) -> None:
            flops = 2 * out.size * arguments[0].shape[-1] if name == "dot" else 0
            moved = _bytes(*arguments, out)
            self._tape.record(self._watch.call, self._kind(name, out), flops, moved, function, *arguments, out)

        return record

    def record(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._tape.record(self._watch.call, "other", 0, _bytes(*arguments), function, *arguments)

    def named(self, kind: str) -> _Section:
        """Return the same tape, on which every operation is of this kind."""
        return _Section(self._tape, self._watch, lambda *_: kind)


def _observed(trainer: type[Trainer], watch: _Watch) -> type[Trainer]:
    """Return a subclass of the trainer that times its operations. Its methods tell the kinds apart."""
    base: Any = trainer

    class Observed(base):  # type: ignore[misc]
        def _update_mini_batch(self, xp: Any, x: Any, y: Any, layers: Layers) -> None:
            def kind(name: str, out: Any) -> str:
                if name != "dot":
                    return "update"
                return FORWARD if _among(out, layers.a) else WEIGHTS if _among(out, self._gradient.w) else BACKWARD

            super()._update_mini_batch(_Section(xp, watch, kind), x, y, layers)

        def _sigmoid(self, xp: Any, z: Any) -> None:
            super()._sigmoid(xp.named("sigmoid"), z)

        def _cost_derivative(self, xp: Any, *arguments: Any, out: Any) -> None:
            super()._cost_derivative(xp.named("cost derivative"), *arguments, out=out)

        def _times_sigmoid_prime(self, xp: Any, delta: Any, a: Any) -> None:
            super()._times_sigmoid_prime(xp.named("sigmoid derivative"), delta, a)

        def _gather(self, rows: Any, examples: Any, out: Any) -> None:
            watch.call("gather", 0, 2 * out.nbytes, super()._gather, rows, examples, out)

    return Observed


def _bytes(*arguments: Any) -> int:
    """Return the size of the arrays among the arguments."""
    return sum(getattr(argument, "nbytes", 0) for argument in arguments)


def _among(array: Any, arrays: list[Any]) -> bool:
    return any(array is other for other in arrays)


def _cost_of_timing() -> float:
    """Return the seconds that timing adds to the time of a call."""
    batches = []
    for _ in range(50):
        watch = _Watch()
        for _ in range(200):
            watch.call("nothing", 0, 0, _nothing)
        batches.append(watch.totals["nothing"].seconds / 200)
    return min(batches)  # a disturbed batch is longer


def _nothing() -> None:
    pass
