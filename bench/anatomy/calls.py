"""Time of an epoch's calls: what its steps and examples cost before there is any arithmetic to speak of.

The same trainer runs on a tiny network with as many layers: 2 pixels and 2 units per layer, on a GPU 16. An epoch of as many steps and
examples then takes the time of its calls: Python, the array library, launches, graph nodes, the Allreduce. Shorter epochs with other
mini-batch sizes give the cost of an epoch, a step and an example, by least squares. What the fit predicts for the first epoch, which it
did not use, shows how well it holds. All of these alternate with epochs on the workload, so that a change of the machine's speed shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.stats.intervals import FEWEST, Interval, Sample, between
from bench.stats.least_squares import nonnegative
from impls import Dataset, Network, Trainer, Unsupported

_EPOCHS = FEWEST + 2  # of the job that `measure` trains, besides shorter ones
MOST_EPOCHS = 40  # as long as all that `measure` trains, if an epoch has a single step
COLUMNS = (
    *("call_seconds", "call_seconds_low", "call_seconds_high", "call_seconds_fitted"),
    *("step_seconds", "step_seconds_low", "step_seconds_high"),
    *("example_seconds", "example_seconds_low", "example_seconds_high"),
)
UNKNOWN: dict[str, Any] = {**dict.fromkeys((*COLUMNS, "allocations_per_step")), "call_fit": ""}

_FACTORS = (1 / 4, 1 / 2, 2, 4)  # of the mini-batch size, for the fit
_SECONDS = 0.01  # of an epoch for the fit: long against the clock, short against the timed epochs
_STEPS = range(2, 2049)  # of such an epoch, if the job has as many examples
_SHORTER = 4  # a second epoch with the same mini-batch size is shorter by this factor
_LONGEST_USUAL = 2.0  # seconds of an epoch on the workload that is worth repeating; calls are a small part of longer ones
# Libraries compute a product with a side of 1 in other ways: `loop` then takes 13 % longer, `jax_cpu` half as long, and `gpu_tuned` on an
# H200 twice as long. A GPU has room for more units, which keeps its warps full.
_UNITS = {"cpu": 2, "gpu": 16}
_PIXEL = 0.5  # not 0, which some trainers skip


class Job(NamedTuple):
    """The numbers of an epoch that its calls depend on. depth: number of layers, with the input"""

    depth: int
    examples: int
    batch_size: int
    learning_rate: float
    dtype: str

    @property
    def counts(self) -> tuple[int, int, int]:
        """Epochs, steps and examples."""
        return 1, -(-self.examples // self.batch_size), self.examples


@dataclass(frozen=True)
class Calls:
    """The calls of an epoch. All times are in seconds; an interval of a cost is (nan, nan, nan) without a fit.

    seconds      of an epoch on a tiny network
    predicted    the same, by the fit
    step         that every step costs, by the fit
    example      that every example costs, by the fit
    batch_sizes  that the fit used
    """

    seconds: Interval
    predicted: float
    step: Interval
    example: Interval
    batch_sizes: tuple[int, ...]

    def columns(self) -> dict[str, Any]:
        """Return the columns of the CSV by name. A cost without a fit is empty."""
        values = (*self.seconds, self.predicted, *self.step, *self.example)
        numbers = {name: value if np.isfinite(value) else None for name, value in zip(COLUMNS, values, strict=True)}
        return {**numbers, "call_fit": "batch " + " ".join(map(str, self.batch_sizes)) if self.batch_sizes else ""}


def measure(trainer: type[Trainer], job: Job, usual: Usual | None = None) -> Calls:
    """Measure the calls of the trainer's epochs. Raises Unsupported for a tiny network, and any exception of the trainer.

    usual  epochs on the workload itself. A machine may be slower for some seconds. If these are slower than they were, the calls are
           divided by the same factor
    """
    whole = Epochs(trainer, job)
    step = whole.once() / job.counts[1]
    fitted = dict(_shorter(trainer, job, step))
    slower = list[float]()
    for _ in range(FEWEST):  # in turn, so that a disturbance affects all alike
        if usual and usual.seconds <= _LONGEST_USUAL:
            slower.append(_seconds(usual.epoch) / usual.seconds)
        for epochs in (*fitted.values(), whole):  # the last, because the epoch on the workload has displaced its data from the caches
            epochs.once()
    factor = float(np.median(slower)) if slower else 1.0
    return combine(job, whole.latest(factor), {each: epochs.latest(factor) for each, epochs in fitted.items()})


def expected_seconds(epoch: float, calls: float) -> float:
    """Return about how long `measure` takes. epoch: seconds of one on the workload; calls: the most that one's calls may take"""
    return 1.5 * _EPOCHS * min(epoch, calls) + (FEWEST * epoch if epoch <= _LONGEST_USUAL else 0.0)


def combine(job: Job, whole: Sequence[float], fitted: Mapping[Job, Sequence[float]]) -> Calls:
    """Return the calls, given the seconds of the job's epochs on a tiny network, and those of other jobs for the fit."""
    seconds = Sample([whole]).interval()
    batch_sizes = tuple(sorted({each.batch_size for each in fitted}))
    unknown = Interval(np.nan, np.nan, np.nan)
    if len(batch_sizes) < 2 or len(fitted) < 3:  # the costs of an epoch, a step and an example cannot be told apart
        return Calls(seconds, np.nan, unknown, unknown, ())
    counts, samples = [each.counts for each in fitted], [Sample([each]) for each in fitted.values()]
    costs = nonnegative(counts, [sample.value for sample in samples])
    draws = nonnegative(counts, [sample.draws(seed=seed) for seed, sample in enumerate(samples)])
    _, step, example = (between(float(cost), drawn) for cost, drawn in zip(costs, draws, strict=True))
    return Calls(seconds, float(costs @ job.counts), step, example, batch_sizes)


class Usual(NamedTuple):
    """Epochs of the trainer on the workload. epoch: trains one; seconds: its median in the rounds"""

    epoch: Callable[[], object]
    seconds: float


class Epochs:
    """Epochs of a trainer on a tiny network. The constructor trains one, as a warm-up. seconds: of each later one"""

    def __init__(self, trainer: type[Trainer], job: Job) -> None:
        units = _UNITS[trainer.device]
        data = Dataset(np.full((job.examples, units), _PIXEL, np.float32), np.zeros(job.examples, np.int64), classes=units)
        start = Network.scaled([units] * job.depth, dtype=job.dtype)
        self._trainer = trainer(start, data, batch_size=job.batch_size, learning_rate=job.learning_rate)
        self._order: npt.NDArray[np.int64] = data.order(seed=0)
        self.seconds: list[float] = []
        self._trainer.train_epoch(self._order)

    def once(self) -> float:
        """Train an epoch and return its seconds."""
        self.seconds.append(_seconds(lambda: self._trainer.train_epoch(self._order)))
        return self.seconds[-1]

    def latest(self, factor: float) -> list[float]:
        """Return the seconds of the latest epochs, divided by the factor."""
        return [seconds / factor for seconds in self.seconds[-FEWEST:]]


def _seconds(work: Callable[[], object]) -> float:
    begin = perf_counter()
    work()
    return perf_counter() - begin


def _shorter(trainer: type[Trainer], job: Job, step: float) -> Iterator[tuple[Job, Epochs]]:
    """Yield epochs for the fit, no longer than the job: of other mini-batch sizes, and of two lengths each.

    step  seconds of a step of the job
    """
    for batch_size in dict.fromkeys(max(1, round(factor * job.batch_size)) for factor in _FACTORS):
        longest = min(job.examples // batch_size, _STEPS[-1])
        if batch_size == job.batch_size or not longest:
            continue
        steps = min(max(int(_SECONDS / step / max(1, batch_size / job.batch_size)), _STEPS[0]), longest)
        with suppress(Unsupported):  # some trainers have a largest mini-batch
            for number in dict.fromkeys((steps, max(steps // _SHORTER, 1))):
                each = job._replace(examples=number * batch_size, batch_size=batch_size)
                yield each, Epochs(trainer, each)
