"""Times one epoch of each trainer on each workload. The only file that times under pytest-benchmark.

What is timed is `Trainer.train_epoch`: gathering the shuffled mini-batches, the forward and backward passes, the updates, and
waiting for a device to finish. What is not: loading, constructing, compiling, verifying, and going back to the initial weights.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from bench.disturbances import Watch
from bench.intervals import FEWEST
from bench.run import Case, Run
from bench.verify import VerificationError
from impls import Unsupported

SECONDS_A_CASE = 5.0
ROUNDS = range(FEWEST, 41)
WARM_UP_SECONDS = 0.5  # and one epoch at least: caches fill, clocks rise


def test_epoch(case: Case, run: Run, progress: Callable[[str], None], benchmark: Any) -> None:
    if case.absent:
        pytest.skip(case.absent)
    progress("verifying")
    try:
        max_error = run.max_error(case)
        trainer, data = run.trainer(case)
    except Unsupported as reason:
        pytest.skip(str(reason))
    except VerificationError as error:
        pytest.fail(str(error), pytrace=False)
    start = case.workload.network(data)
    order = data.order(seed=case.workload.seed)

    progress("warming up")
    watch = Watch()
    warm: list[float] = []
    while benchmark.enabled and sum(warm) < WARM_UP_SECONDS:
        began = time.perf_counter()
        trainer.train_epoch(order)
        warm.append(time.perf_counter() - began)
    rounds = run.options.rounds or (min(max(int(SECONDS_A_CASE / min(warm)), ROUNDS[0]), ROUNDS[-1]) if warm else 1)
    started = 0

    def from_the_start() -> None:
        nonlocal started
        started += 1
        progress(f"round {started} of {rounds}")
        trainer.load(start)

    benchmark.group = case.workload.name
    benchmark.pedantic(trainer.train_epoch, args=(order,), setup=from_the_start, rounds=rounds)
    if benchmark.enabled:
        taken = watch.shares()
        seconds = benchmark.stats.stats.data
        run.record(case, trainer, seconds, [trainer.network().accuracy(run.splits.test)] * rounds, max_error, taken)
        benchmark.extra_info.update({name: value for name, value in asdict(run.rows[-1]).items() if name not in ("round", "seconds")})
