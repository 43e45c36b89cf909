"""`python -m bench train`: train for real, epoch after epoch, and show the test accuracy against the seconds it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import disturbances
from bench.conduct import Conduct
from bench.disturbances import Meter
from bench.format import counted, duration
from bench.options import Options
from bench.records import WriteError
from bench.run import Case, Run, prepare
from bench.verify import ContractError
from bench.watch import BrokenOffError, Watch
from impls import InputError, Unsupported


def train(options: Options, *, epochs: int, until: float | None, say: Callable[[str], None] = print) -> bool:
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
    # Never refreshed by a thread of its own: that would take time from the epoch being timed.
    bar = Progress(
        TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.fields[now]}"),
        auto_refresh=False, disable=not sys.stdout.isatty(),
    )  # fmt: skip
    try:
        with bar, Watch(run) as watch:
            for case in run.cases:
                reached.append(_train(run, case, watch, epochs, until, bar, say))
                watch.finish(case)
    except BaseException:
        for case, how_far in run.unfinished().items():
            say(f"{case.trainer}: {how_far}")
        run.close(stopped=True)
        raise
    run.close()
    run.draw()
    for case, reason in run.failed.items():
        say(f"{case.trainer}: FAILED: {reason}")
    for warning in (*run.warnings, *disturbances.told(disturbances.found(run.table()), run=False)):
        say(f"warning: {warning}")
    for file in run.files:
        say(str(file))
    return all(reached)


def _train(run: Run, case: Case, watch: Watch, epochs: int, until: float | None, bar: Progress, say: Callable[[str], None]) -> bool:
    """Train one case and return whether it reached `until`, and did not fail: what fails is noted in the run."""
    try:
        with run.lend(case) as (start, order), watch.over(case) as doing:
            doing("verifying")
            max_error = run.max_error(case)
            trainer, data = run.trainer(case)
            conduct = Conduct(trainer, start, order)
            task = bar.add_task(case.trainer, total=epochs, now="")
            seconds: list[float] = []
            accuracies: list[float] = []
            meter = Meter()
            for epoch in range(1, epochs + 1):
                order = data.order(seed=case.workload.seed, epoch=epoch - 1)
                doing(f"epoch {epoch} of {epochs}", slowest=max(seconds, default=None))
                began = time.perf_counter()
                trainer.train_epoch(order)
                seconds.append(time.perf_counter() - began)
                accuracies.append(conduct.look().accuracy(run.splits.test))
                watch.rest("recording")
                run.record(case, trainer, seconds[-1:], accuracies[-1:], max_error, meter.shares())
                bar.update(task, advance=1, now=f"{accuracies[-1]:.2%}", refresh=True)
                say(f"{case.trainer:<8} epoch {epoch:>3}  {duration(seconds[-1]):>8}  test accuracy {accuracies[-1]:.2%}")
                if until is not None and accuracies[-1] >= until:
                    break
            doing("verifying again")
            conduct.check(seconds, repeated=False)
            run.max_error(case)
    except Unsupported as reason:
        raise InputError(f"--trainer {case.trainer} cannot train {case.workload.name}: {reason}") from reason
    except ContractError as error:
        run.failed[case] = str(error)
        run.withdraw(case)
        return False
    except (BrokenOffError, WriteError) as error:
        run.failed[case] = str(error)
        return False
    except Exception as error:  # whatever a trainer raises is its failure alone
        run.failed[case] = f"{type(error).__name__}: {error}"
        return False
    best = max(accuracies)
    say(
        f"{case.trainer}: best test accuracy {best:.2%} in epoch {accuracies.index(best) + 1}, "
        f"{duration(sum(seconds))} of training for {counted(len(seconds), 'epoch')}"
    )
    if until is not None and best < until:
        say(f"{case.trainer}: {until:.2%} was not reached in {epochs} epochs")
        return False
    return True
