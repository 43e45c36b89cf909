"""`python -m bench train`: train for real, epoch after epoch, and show the test accuracy against the seconds it took."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import closing
from typing import NamedTuple

from bench.analysis import noise
from bench.machine.load import Meter
from bench.measure.case import Case
from bench.measure.recorder import Epochs
from bench.measure.run import Run, prepare
from bench.measure.watchdog import BrokenOffError, Watchdog
from bench.options import Options
from bench.records import WriteError
from bench.text.numbers import counted, duration
from bench.verify.contract import ContractError, ContractMonitor
from impls import InputError, Unsupported

LOG = logging.getLogger(__name__)


def train(options: Options, *, epochs: int, until: float | None) -> bool:
    """Train each of the trainers for that many epochs, or until the test accuracy is reached; record and draw each epoch.

    Each starts from the same weights and sees the same order, another one each epoch. A trainer is verified first, and again when it
    is done. Returns whether `until`, a fraction, was reached by all (True if there was none), and no trainer failed; one that fails is
    named and the others go on. Raises InputError for a trainer that cannot run here. When it is stopped, finished epochs are on the disk.
    """
    if len(options.workloads) > 1:
        raise InputError(f"train takes one workload, not {len(options.workloads)}: {', '.join(w.name for w in options.workloads)}")
    run = prepare(options, kind="training")
    for case in run.cases:
        if case.absent:
            raise InputError(f"--trainer {case.trainer} cannot run here: {case.absent}")
    reached = []
    try:
        with Watchdog(run) as watchdog:
            for case in run.cases:
                reached.append(_train(run, case, watchdog, epochs, until))
                watchdog.finish(case)
    except BaseException:
        run.close(stopped=True)
        for case, how_far in run.unfinished().items():
            LOG.info(f"{case.trainer}: {how_far}")
        raise
    if len(run.outcomes.skipped) == len(run.cases):
        raise InputError(
            "; ".join(f"--trainer {case.trainer} cannot train {case.workload.name}: {run.outcomes.skipped[case]}" for case in run.cases)
        )
    run.close()
    run.draw()
    for kind, noted in (("skipped", run.outcomes.skipped), ("FAILED", run.outcomes.failed)):
        for case, reason in noted.items():
            LOG.info(f"{case.trainer}: {kind}: {reason}")
    for warning in (*run.warnings, *noise.format_lines(noise.detect(run.recorder.table()), with_run=False)):
        LOG.info(f"warning: {warning}")
    for file in run.files:
        LOG.info(str(file))
    return all(reached)


def _train(run: Run, case: Case, watchdog: Watchdog, epochs: int, until: float | None) -> bool:
    """Train one case and return whether it reached `until`, and did not fail: what fails, or is skipped, is noted in the run."""
    done: list[Epoch] = []
    with closing(_epochs(run, case, watchdog, epochs, until)) as training:
        while True:
            try:
                done.append(next(training))
            except StopIteration:
                break
            except Unsupported as reason:
                run.outcomes.skipped[case] = str(reason)
                return True
            except ContractError as error:
                run.outcomes.failed[case] = str(error)
                run.recorder.withdraw(case)
                return False
            except (BrokenOffError, WriteError) as error:
                run.outcomes.failed[case] = str(error)
                return False
            except Exception as error:  # whatever a trainer raises is its failure alone
                run.outcomes.failed[case] = f"{type(error).__name__}: {error}"
                return False
            LOG.info(f"{case.trainer:<8} epoch {len(done):>3}  {duration(done[-1].seconds):>8}  test accuracy {done[-1].accuracy:.2%}")
    best = max(epoch.accuracy for epoch in done)
    LOG.info(
        f"{case.trainer}: best test accuracy {best:.2%} in epoch {[epoch.accuracy for epoch in done].index(best) + 1}, "
        f"{duration(sum(epoch.seconds for epoch in done))} of training for {counted(len(done), 'epoch')}"
    )
    if until is not None and best < until:
        LOG.info(f"{case.trainer}: {until:.2%} was not reached in {epochs} epochs")
        return False
    return True


class Epoch(NamedTuple):
    """How long an epoch took, and the test accuracy after it."""

    seconds: float
    accuracy: float


def _epochs(run: Run, case: Case, watchdog: Watchdog, epochs: int, until: float | None) -> Generator[Epoch]:
    """Train and yield each epoch when it is recorded; what is raised is the trainer's failure, or the disk's."""
    with run.inputs.guarded(case) as (start, order), watchdog.supervise(case) as doing:
        doing("verifying")
        max_error = run.inputs.max_error(case)
        trainer, data = case.make_trainer(run.inputs.splits), case.data(run.inputs.splits)
        monitor = ContractMonitor(trainer, start, order)
        seconds: list[float] = []
        meter = Meter()
        for epoch in range(1, epochs + 1):
            order = data.order(seed=case.workload.seed, epoch=epoch - 1)
            doing(f"epoch {epoch} of {epochs}", slowest=max(seconds, default=None))
            began = time.perf_counter()
            trainer.train_epoch(order)
            seconds.append(time.perf_counter() - began)
            accuracy = monitor.observe().accuracy(run.inputs.splits.test)
            watchdog.rest("recording")
            run.recorder.record(case, trainer, data, Epochs(seconds[-1:], [accuracy], max_error, meter.shares()))
            yield Epoch(seconds[-1], accuracy)
            if until is not None and accuracy >= until:
                break
        doing("verifying again")
        monitor.check(seconds, repeated=False)
        run.inputs.max_error(case)
