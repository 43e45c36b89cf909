"""Timing of one epoch of each trainer on each workload. No other file uses the timer of pytest-benchmark.

The time of `Trainer.train_epoch` includes gathering the shuffled mini-batches, the forward and backward passes, the updates, and
waiting for the device. It excludes loading, construction, compilation, verification, and restoring the initial weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import Any

import pytest

from bench.anatomy import calls
from bench.anatomy.allocations import allocations_per_step
from bench.machine import energy_meter
from bench.machine.accelerators import sensed
from bench.measure.case import Case
from bench.measure.conditions import ConditionsMeter
from bench.measure.pytest_internals import stored_if_finished, timed_seconds
from bench.measure.recorder import Epochs
from bench.measure.round_count import WARM_UP_SECONDS, rounds_that_fit
from bench.measure.run import Run
from bench.measure.surroundings import kept
from bench.measure.watchdog import BrokenOffError, Watchdog
from bench.records import WriteError
from bench.text.numbers import plain
from bench.verify.contract import ContractError, ContractMonitor
from impls import Unsupported, load_trainer
from impls.errors import DeviceError

# A warning of a trainer's library must not fail the case. pytest lists the warnings at the end.
pytestmark = pytest.mark.filterwarnings("default")


def test_epoch(case: Case, run: Run, watchdog: Watchdog, benchmark: Any) -> None:
    if case.absent:
        pytest.skip(case.absent)
    ended = None
    try:
        with kept(case, run.warnings), stored_if_finished(benchmark):
            _time(case, run, watchdog, benchmark)
    except Unsupported as reason:
        pytest.skip(str(reason))
    except (ContractError, BrokenOffError, DeviceError, WriteError) as error:
        ended = str(error)
    if ended:  # outside of `except`, so that pytest does not print the caught exception as well
        pytest.fail(ended, pytrace=False)


def _time(case: Case, run: Run, watchdog: Watchdog, benchmark: Any) -> None:
    with run.inputs.guarded(case) as (start, order), watchdog.supervise(case) as doing:
        watchdog.rest("computing the right results")
        verification, kind = run.inputs.verification(case), load_trainer(case.trainer)
        doing("verifying")
        max_error = verification.max_error(kind)
        counters = run.energy.get(sensed(kind))
        meter = ConditionsMeter(kind, counters)
        trainer = case.make_trainer(run.inputs.splits)
        monitor = ContractMonitor(trainer, start, order)

        warm: list[float] = []
        warm_up = WARM_UP_SECONDS if run.options.warm_up is None else run.options.warm_up
        doing("warming up")
        meter.begin_epochs()
        begin = perf_counter()
        while benchmark.enabled and (not warm or perf_counter() - begin < warm_up):
            began = perf_counter()
            trainer.train_epoch(order)
            warm.append(perf_counter() - began)
            if len(warm) == 1:  # only the first warm-up epoch starts from the initial weights
                monitor.observe()
                doing("warming up", slowest=warm[0], lasting=warm_up)
        rounds = run.options.rounds or (rounds_that_fit(min(warm)) if warm else 1)
        started = 0

        def from_the_start() -> None:
            nonlocal started
            started += 1
            doing(f"round {started} of {rounds}", slowest=max(warm, default=None))
            monitor.load()
            meter.begin_round()

        def to_the_end(_: object) -> None:
            meter.end_round()
            monitor.observe()

        meter.begin_rounds()
        benchmark.group = case.workload.name
        # The timing: pytest-benchmark's clock runs only during each call of train_epoch.
        benchmark.pedantic(trainer.train_epoch, args=(order,), setup=from_the_start, teardown=to_the_end, rounds=rounds)
        if not benchmark.enabled:
            return
        conditions = meter.result()
        seconds = timed_seconds(benchmark)
        doing("verifying again", slowest=max(seconds))
        trained = trainer.network()
        accuracy = trained.accuracy(run.inputs.splits.test)
        monitor.check(seconds, repeated=True)
        watchdog.rest("computing the right results of the epoch")
        verification.compute_epoch()
        doing("verifying the epoch")
        verification.check_epoch(trained)
        verification.check_calm_epoch(kind)
        verification.max_error(kind)
    run.recorder.record(case, trainer, case.data(run.inputs.splits), Epochs(seconds, [accuracy] * rounds, max_error, conditions))
    later = _Later(case, run, watchdog, seconds)

    def epoch() -> None:
        trainer.train_epoch(order)

    if counters and meter.too_short_for_energy:
        lasting = energy_meter.expected_seconds(counters)
        later.amend("its energy", lambda: energy_meter.of_stretches(counters, epoch)._asdict(), lasting)
    if run.options.anatomy:
        usual = calls.Usual(epoch, median(seconds))
        later.amend("its calls", lambda: _calls(case, run, usual), calls.MOST_EPOCHS * max(seconds))
    benchmark.extra_info.update({name: value for name, value in asdict(run.recorder.rows[-1]).items() if name not in ("round", "seconds")})


def _calls(case: Case, run: Run, usual: calls.Usual) -> dict[str, Any]:
    workload, data, kind = case.workload, case.data(run.inputs.splits), load_trainer(case.trainer)
    job = calls.Job(len(workload.layers(data)), len(data), workload.batch_size, workload.learning_rate, workload.dtype)
    return {**calls.measure(kind, job, usual).columns(), "allocations_per_step": allocations_per_step(kind, job)}


@dataclass(frozen=True)
class _Later:
    """What is measured after the case's rows are on disk, because they count more. seconds: of the rounds"""

    case: Case
    run: Run
    watchdog: Watchdog
    seconds: Sequence[float]

    def amend(self, what: str, measure: Callable[[], dict[str, Any]], lasting: float) -> None:
        """Set the columns that `measure` returns, after about `lasting` seconds. A failure of any kind causes a warning."""
        try:
            with self.watchdog.supervise(self.case) as doing:
                doing(f"measuring {what}", slowest=max(self.seconds), lasting=lasting)
                columns = measure()
        except Exception as error:
            self.run.warnings.append(f"{self.case}: could not measure {what} ({plain(f'{type(error).__name__}: {error}')})")
        else:
            self.run.recorder.amend(self.case, columns)
