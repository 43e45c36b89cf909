"""A run's result as text for a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import intervals
from bench.intervals import Interval
from bench.run import Case, Run

BASELINE = "loop"


def text(run: Run, files: Sequence[Path], *, width: int, colours: bool) -> str:
    """Return a table for each workload, then what gave no row and why, the machine, and where the files are."""
    console = Console(file=io.StringIO(), width=max(width, 60), force_terminal=colours, highlight=False, emoji=False)
    for workload in run.options.workloads:
        cases = [case for case in run.cases if case.workload == workload]
        if table := _table(run, cases):
            console.print()
            console.print(table)
    console.print()
    for kind, style, noted in (("skipped", "yellow", run.skipped), ("FAILED", "bold red", run.failed)):
        for reason, cases in _by_reason(noted).items():
            console.print(f"[{style}]{kind}[/] {cases}: ", end="")
            console.print(reason, markup=False, soft_wrap=True)
    machine = run.machine
    console.print(f"{machine.machine}: {machine.cpu}, {machine.cores} cores, {machine.gpu or 'no GPU'}", soft_wrap=True)
    console.print(
        f"{run.threads} thread{'s' * (run.threads > 1)}, Python {machine.python.split()[-1]}, NumPy {machine.numpy}, "
        f"BLAS {machine.blas} with {machine.blas_kernels or 'unknown'} kernels",
        soft_wrap=True,
    )
    for file in files:
        console.print(_nearby(file), soft_wrap=True, style="bold")
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def seconds(value: float) -> str:
    """Return a duration with its unit and three digits."""
    for limit, factor, unit in ((1e-3, 1e6, "us"), (1, 1e3, "ms"), (float("inf"), 1, "s")):
        if value < limit:
            return f"{digits(value * factor)} {unit}"
    raise AssertionError(value)


def digits(value: float) -> str:
    """Return a positive number with three significant digits, never in exponent form."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def _table(run: Run, cases: Sequence[Case]) -> Table | None:
    times = {case: [row.seconds for row in run.rows if (row.workload, row.trainer) == (case.workload.name, case.trainer)] for case in cases}
    timed = [case for case in cases if times[case]]
    if not timed:
        return None
    one = next(row for row in run.rows if row.workload == timed[0].workload.name)
    table = Table(
        title=f"{one.workload}: {one.layers}, batch {one.batch_size}, learning rate {one.learning_rate:g}, {one.examples:,} examples, {one.dtype}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("trainer")
    for heading in ("epoch (median, 95 %)", "rounds", "examples/s", f"over {BASELINE} (95 %)", "accuracy"):
        table.add_column(heading, justify="right", no_wrap=True)
    baseline = next((case for case in timed if case.trainer == BASELINE), None)
    for case in timed:
        row = next(row for row in run.rows if (row.workload, row.trainer) == (case.workload.name, case.trainer))
        epoch = intervals.median(times[case])
        speedup = intervals.ratio(times[baseline], times[case]) if baseline not in (None, case) else None
        table.add_row(
            case.trainer,
            _with_interval(epoch),
            str(len(times[case])),
            f"{row.examples / epoch.value:,.0f}",
            f"{digits(speedup.value)}x ({digits(speedup.low)}-{digits(speedup.high)})" if speedup else "1" if case == baseline else "-",
            f"{row.accuracy:.1%}",
        )
    return table


def _with_interval(time: Interval) -> str:
    unit = seconds(time.value).split()[-1]
    factor = {"us": 1e6, "ms": 1e3, "s": 1.0}[unit]
    return f"{digits(time.value * factor)} {unit} ({digits(time.low * factor)}-{digits(time.high * factor)})"


def _by_reason(noted: dict[Case, str]) -> dict[str, str]:
    reasons: dict[str, list[str]] = {}
    for case, reason in noted.items():
        reasons.setdefault(reason, []).append(case.trainer)
    return {reason: ", ".join(dict.fromkeys(names)) for reason, names in reasons.items()}


def _nearby(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
