"""Training over several epochs, `python -m bench train`: test accuracy against seconds of training."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import closing
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import NamedTuple

from bench.analysis import noise
from bench.machine.load import Meter
from bench.measure.case import Case
from bench.measure.conditions import Conditions
from bench.measure.recorder import Epochs
from bench.measure.run import Run, prepare
from bench.measure.surroundings import kept
from bench.measure.watchdog import BrokenOffError, Watchdog
from bench.options import Options
from bench.records import WriteError
from bench.text.numbers import counted, duration
from bench.verify.contract import ContractError, ContractMonitor
from impls import InputError, Unsupported, load_trainer

LOG = logging.getLogger(__name__)


def train(options: Options, *, epochs: int, until: float | None) -> bool:
    """Train with each trainer, record every epoch, and draw the charts.

    epochs  maximum number of epochs
    until   test accuracy, a fraction, at which a trainer stops; None: train for all epochs

    All trainers start from the same weights and use the same orders, a new one every epoch. Each is verified before and after training.
    If a trainer fails, the run logs the reason and continues with the others. If the run is stopped, its finished epochs are on disk.

    Returns True if no trainer failed and every trainer that ran reached `until`. Raises InputError for a trainer that cannot run here.
    """
    options.only_workload("train")
    run = prepare(options, kind="training")
    for case in run.cases:
        if case.absent:
            raise InputError(f"--trainer {case.trainer}", f"cannot run here: {case.absent}")
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
            "--trainer", "; ".join(f"{case.trainer} cannot train {case.workload.name}: {run.outcomes.skipped[case]}" for case in run.cases)
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
    """Train one case and record its outcome in the run. Return False if it failed or did not reach `until`."""
    done: list[Epoch] = []
    with kept(case, run.warnings), closing(_epochs(run, case, watchdog, epochs, until)) as training:
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
            except Exception as error:  # an exception of one trainer must not stop the others
                run.outcomes.failed[case] = f"{type(error).__name__}: {error}"
                return False
            LOG.info(f"{case.trainer:<8} epoch {len(done):>3}  {duration(done[-1].seconds):>8}  test accuracy {done[-1].accuracy:.2%}")
    best = max(epoch.accuracy for epoch in done)
    LOG.info(
        f"{case.trainer}: best test accuracy {best:.2%} in epoch {[epoch.accuracy for epoch in done].index(best) + 1}, "
        f"{counted(len(done), 'epoch')} in {duration(sum(epoch.seconds for epoch in done))}"
    )
    if until is not None and best < until:
        LOG.info(f"{case.trainer}: {until:.2%} was not reached in {epochs} epochs")
        return False
    return True


class Epoch(NamedTuple):
    """Seconds of an epoch, and the test accuracy after it."""

    seconds: float
    accuracy: float


def _epochs(run: Run, case: Case, watchdog: Watchdog, epochs: int, until: float | None) -> Generator[Epoch]:
    """Train, and yield each epoch after it is recorded. Raises any exception of the trainer, and WriteError."""
    with run.inputs.guarded(case) as (start, order), watchdog.supervise(case) as doing:
        watchdog.rest("computing the right results")
        verification, kind = run.inputs.verification(case), load_trainer(case.trainer)
        doing("verifying")
        max_error = verification.max_error(kind)
        trainer, data = case.make_trainer(run.inputs.splits), case.data(run.inputs.splits)
        monitor = ContractMonitor(trainer, start, order)
        seconds: list[float] = []
        meter = Meter()
        for epoch in range(1, epochs + 1):
            order = data.order(seed=case.workload.seed, epoch=epoch - 1)
            doing(f"epoch {epoch} of {epochs}", slowest=max(seconds, default=None))
            began = perf_counter()
            trainer.train_epoch(order)
            seconds.append(perf_counter() - began)
            network = monitor.observe()
            accuracy = network.accuracy(run.inputs.splits.test)
            if epoch == 1:
                watchdog.rest("computing the right results of the first epoch")
                verification.compute_epoch()
                verification.check_epoch(network)
            watchdog.rest("recording")
            run.recorder.record(case, trainer, data, Epochs(seconds[-1:], [accuracy], max_error, Conditions(meter.shares())))
            yield Epoch(seconds[-1], accuracy)
            if until is not None and accuracy >= until:
                break
        doing("verifying again")
        monitor.check(seconds, repeated=False)
        verification.check_calm_epoch(kind)
        verification.max_error(kind)
