"""`python -m bench train`: train for real, epoch after epoch, and show the test accuracy against the seconds it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import disturbances
from bench.disturbances import Watch
from bench.format import duration
from bench.options import Options
from bench.run import Case, Run, prepare
from impls import InputError, Unsupported


def train(options: Options, *, epochs: int, until: float | None, say: Callable[[str], None] = print) -> bool:
    """Train each of the trainers for that many epochs, or until the test accuracy is reached; record and draw each epoch.

    Each starts from the same weights and sees the same order, another one each epoch. A trainer is verified first.
    Returns whether `until`, a fraction, was reached by all (True if there was none). Raises InputError for a trainer that cannot
    run here, VerificationError for one that computes something else; finished epochs are on the disk then.
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
    with bar:
        for case in run.cases:
            best = _train(run, case, epochs, until, bar, say)
            reached.append(until is None or best >= until)
    run.files.append(run.writer.close())
    for line in (*run.warnings, *disturbances.told(disturbances.found(run.table()), run=False)):
        say(f"warning: {line}")
    if options.charts:
        from bench import plot

        run.files += plot.charts(run.files)
    for file in run.files:
        say(str(file))
    return all(reached)


def _train(run: Run, case: Case, epochs: int, until: float | None, bar: Progress, say: Callable[[str], None]) -> float:
    """Train one case and return its best accuracy."""
    try:
        max_error = run.max_error(case)
        trainer, data = run.trainer(case)
    except Unsupported as reason:
        raise InputError(f"--trainer {case.trainer} cannot train {case.workload.name}: {reason}") from reason
    task = bar.add_task(case.trainer, total=epochs, now="")
    best, best_epoch, total = 0.0, 0, 0.0
    watch = Watch()
    for epoch in range(1, epochs + 1):
        order = data.order(seed=case.workload.seed, epoch=epoch - 1)
        began = time.perf_counter()
        trainer.train_epoch(order)
        seconds = time.perf_counter() - began
        accuracy = trainer.network().accuracy(run.splits.test)
        run.record(case, trainer, [seconds], [accuracy], max_error, watch.shares())
        total += seconds
        if accuracy > best:
            best, best_epoch = accuracy, epoch
        bar.update(task, advance=1, now=f"{accuracy:.2%}", refresh=True)
        say(f"{case.trainer:<8} epoch {epoch:>3}  {duration(seconds):>8}  test accuracy {accuracy:.2%}")
        if until is not None and accuracy >= until:
            break
    say(f"{case.trainer}: best test accuracy {best:.2%} in epoch {best_epoch}, {duration(total)} of training for {epoch} epochs")
    if until is not None and best < until:
        say(f"{case.trainer}: {until:.2%} was not reached in {epochs} epochs")
    return best
