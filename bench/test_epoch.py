"""Times one epoch of each trainer on each workload. The only file that times under pytest-benchmark.

What is timed is `Trainer.train_epoch`: gathering the shuffled mini-batches, the forward and backward passes, the updates, and
waiting for a device to finish. What is not: loading, constructing, compiling, verifying, and going back to the initial weights.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import pytest

from bench.machine.load import Meter
from bench.measure.case import Case
from bench.measure.pytest_internals import store_nothing, timed_seconds
from bench.measure.recorder import Epochs
from bench.measure.round_count import WARM_UP_SECONDS, rounds_that_fit
from bench.measure.run import Run
from bench.measure.watchdog import BrokenOffError, Watchdog
from bench.records import WriteError
from bench.verify.contract import ContractError, ContractMonitor
from impls import Unsupported

# What a trainer's libraries warn of is listed in the end. It is no reason to time nothing.
pytestmark = pytest.mark.filterwarnings("default")


def test_epoch(case: Case, run: Run, watchdog: Watchdog, benchmark: Any) -> None:
    if case.absent:
        pytest.skip(case.absent)
    ended = None
    try:
        _time(case, run, watchdog, benchmark)
    except Unsupported as reason:
        pytest.skip(str(reason))
    except (ContractError, BrokenOffError, WriteError) as error:
        store_nothing(benchmark)
        ended = str(error)
    if ended:  # raised here, where no other exception is being handled that would be told too
        pytest.fail(ended, pytrace=False)


def _time(case: Case, run: Run, watchdog: Watchdog, benchmark: Any) -> None:
    with run.inputs.guarded(case) as (start, order), watchdog.supervise(case) as doing:
        doing("verifying")
        max_error = run.inputs.max_error(case)
        trainer = case.make_trainer(run.inputs.splits)
        monitor = ContractMonitor(trainer, start, order)

        warm: list[float] = []
        warm_up = WARM_UP_SECONDS if run.options.warm_up is None else run.options.warm_up
        doing("warming up")
        meter = Meter()
        begin = time.perf_counter()
        while benchmark.enabled and (not warm or time.perf_counter() - begin < warm_up):
            began = time.perf_counter()
            trainer.train_epoch(order)
            warm.append(time.perf_counter() - began)
            if len(warm) == 1:  # the one from the start
                monitor.observe()
                doing("warming up", slowest=warm[0], lasting=warm_up)
        rounds = run.options.rounds or (rounds_that_fit(min(warm)) if warm else 1)
        started = 0

        def from_the_start() -> None:
            nonlocal started
            started += 1
            doing(f"round {started} of {rounds}", slowest=max(warm, default=None))
            trainer.load(start)

        benchmark.group = case.workload.name
        # This is the timing: pytest-benchmark's clock runs during each call of train_epoch, and at no other time.
        benchmark.pedantic(trainer.train_epoch, args=(order,), setup=from_the_start, teardown=lambda _: monitor.observe(), rounds=rounds)
        if not benchmark.enabled:
            return
        others = meter.shares()
        seconds = timed_seconds(benchmark)
        doing("verifying again")
        accuracy = trainer.network().accuracy(run.inputs.splits.test)
        monitor.check(seconds, repeated=True)
        run.inputs.max_error(case)
    run.recorder.record(case, trainer, case.data(run.inputs.splits), Epochs(seconds, [accuracy] * rounds, max_error, others))
    benchmark.extra_info.update({name: value for name, value in asdict(run.recorder.rows[-1]).items() if name not in ("round", "seconds")})
