"""Fit of the cost model to steps and Allreduces, which are timed separately from the epochs."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.measure.run import Run
from bench.mpi import ranks
from bench.mpi.cost_model import MOST, Compute, Link, Model, doublings
from bench.mpi.slowest_rank import seconds_of, slowest
from bench.workload import Workload
from impls import load_trainer

_SIZES = (8, 1024, 16384, 131072)  # bytes of an Allreduce, in addition to the size of the gradient
_LONG_ENOUGH = 0.03  # seconds: a shorter Allreduce is repeated for this time
_TIMES = 7


def fitted_model(run: Run, every: Any, workload: Workload, trainer: str, groups: dict[int, Any]) -> tuple[Model, str]:
    """Return the fitted model, and the name of the library that sums the gradients."""
    data = workload.data(run.inputs.splits)
    one_rank = every.Split(every.rank)
    kind: Any = load_trainer(trainer)
    single = kind.over(one_rank)
    times: list[tuple[int, int, float]] = []
    gradient, sums_with = 0, ""
    for size, members in groups.items():
        if size > 1 and every.rank < size:
            over = kind.over(members)(workload.network(data), data.first(1), batch_size=1, learning_rate=workload.learning_rate)
            gradient, sums_with = over.message, over.sums_with
            times += [(size, sent, _allreduce(over, members, sent)) for sent in (*_SIZES, gradient)]
    ranks.quiet_barrier(every)
    shares = sorted({-(-workload.batch_size // size) for size in doublings(MOST)})
    steps = [(share, _step(every, single, workload, data, share)) for share in shares]
    one_rank.Free()
    times, gradient, sums_with = every.bcast((times, gradient, sums_with))
    return Model(Compute.fitted(steps), Link.fitted(times), gradient, len(data)), sums_with


def _step(every: Any, kind: Any, workload: Workload, data: Any, share: int) -> float:
    """Return the seconds of a step on `share` examples, run on all ranks at once: the median over repeats of the slowest rank."""
    steps = min(max(1000 // share, 3), len(data) // share)
    some = data.first(steps * share)
    trainer = kind(workload.network(some), some, batch_size=share, learning_rate=workload.learning_rate)
    order = some.order(seed=workload.seed)
    trainer.train_epoch(order)
    seconds = []
    for _ in range(_TIMES):
        every.Barrier()
        seconds.append(seconds_of(lambda: trainer.train_epoch(order)))
    return float(np.median(slowest(every, seconds))) / steps


def _allreduce(trainer: Any, members: Any, size: int) -> float:
    """Return the seconds of the trainer's Allreduce of `size` bytes: the median over repeats of the slowest rank."""
    exchange = trainer.exchange(size)

    def repeated(times: int) -> float:
        members.Barrier()
        return seconds_of(lambda: exchange(times))

    (first,) = slowest(members, [repeated(10)])
    times = min(max(int(_LONG_ENOUGH / (first / 10)), 1), 1000)
    return float(np.median(slowest(members, [repeated(times) for _ in range(_TIMES)]))) / times
