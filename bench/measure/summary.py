"""Terminal summary of a run."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console

from bench.analysis import energy_use, noise
from bench.analysis.timings import BASELINE
from bench.machine.accelerators import accelerator_of, labelled
from bench.measure.case import Case
from bench.measure.run import Run
from bench.stats import intervals
from bench.stats.intervals import FEWEST, RUN_SPREAD
from bench.text.numbers import counted, duration, duration_interval, times_interval
from bench.text.tables import Table
from bench.text.wrapping import wrapped
from impls.accelerator import Accelerator

_NEVER_CUT = 1000  # columns: wide enough that rich does not truncate a table; the terminal wraps long lines


def text(run: Run, *, colours: bool) -> str:
    """Return a table per workload, the reasons for missing rows, the warnings, the machine and the files."""
    output = io.StringIO()
    console = _console(output, colours)
    disturbed = noise.detect(run.recorder.table())
    noisy = {(one.workload, one.trainer) for one in disturbed}
    for workload in run.options.workloads:
        timed = {case.trainer: case for case in run.cases if case.workload == workload and run.recorder.of(case)}
        if cases := [timed[name] for name in run.options.trainers if name in timed]:  # a plugin may have run them in another order
            for table in _tables(run, cases, noisy):
                output.write(f"\n{table.text(colours=colours)}\n")
    console.print()
    for kind, style, noted in (
        ("skipped", "yellow", run.outcomes.skipped),
        ("FAILED", "bold red", run.outcomes.failed),
        ("unfinished", "bold red", run.unfinished()),
    ):
        for reason, names in _by_reason(run, noted).items():
            line = wrapped(f"{kind} {names}: {reason}").removeprefix(kind)
            console.print(f"[{style}]{kind}[/]", end="")
            console.print(line, markup=False, soft_wrap=True)
    if run.recorder.rows:
        spread = f"95 % intervals include the spread from run to run, a standard deviation of {RUN_SPREAD:.1%}"
        console.print(wrapped(spread), markup=False)
    few = [case for case in run.cases if 0 < len(run.recorder.of(case)) < FEWEST]
    too_few = [f"a 95 % interval needs {FEWEST} rounds; the table's intervals of fewer rounds are too narrow"] if few else []
    output.write(notes([*run.warnings, *noise.format_lines(disturbed, with_run=False), *too_few], [], colours=colours))
    for line in machine_lines(run):
        console.print(line, markup=False, soft_wrap=True)
    output.write(notes([], run.files, colours=colours))
    return "".join(f"{line.rstrip()}\n" for line in output.getvalue().splitlines())


def notes(warnings: Iterable[str], files: Iterable[Path], *, colours: bool) -> str:
    """Return a line for each warning and each file."""
    output = io.StringIO()
    console = _console(output, colours)
    for warning in warnings:
        console.print("[bold yellow]warning[/]", end="")
        console.print(wrapped(f"warning: {warning}").removeprefix("warning"), markup=False, soft_wrap=True)
    for file in files:
        console.print(_nearby(file), markup=False, soft_wrap=True)
    return output.getvalue()


def _console(output: io.StringIO, colours: bool) -> Console:
    return Console(file=output, width=_NEVER_CUT, force_terminal=colours, highlight=False, emoji=False)


def machine_lines(run: Run) -> list[str]:
    """Return a line about the machine, one about its software, and one for each device beside the processor that computed."""
    machine = run.machine
    used: dict[Accelerator, dict[str, None]] = {}
    for row in run.recorder.rows:
        if found := accelerator_of(asdict(row)):
            used.setdefault(found, {})[row.trainer] = None
    return [
        f"machine: {machine.title}",
        f"Python {machine.python.split()[-1]}, NumPy {machine.numpy} on {machine.blas} with "
        f"{machine.blas_kernels or 'unknown'} kernels, {counted(run.threads, 'thread')}",
        *(f"{', '.join(trainers)}: on {found.described()}" for found, trainers in used.items()),
    ]


def measured(run: Run, case: Case) -> str:
    """Return a case's median epoch and number of rounds, or an empty text if it was not timed."""
    times = [row.seconds for row in run.recorder.of(case)]
    return f"{duration(float(np.median(times)))} per epoch, {counted(len(times), 'round')}" if times else ""


def _tables(run: Run, cases: Sequence[Case], noisy: Collection[tuple[str, str]]) -> Iterator[Table]:
    """Yield the table of a workload, and one of the energy, if it was measured. noisy: (workload, trainer) of the disturbed cases"""
    one, workload = run.recorder.of(cases[0])[0], cases[0].workload
    headings = ("trainer", "epoch (95 %)", "rounds", "examples/s", f"over {BASELINE} (95 %)", "of peak", "accuracy")
    times = {case.trainer: [row.seconds for row in run.recorder.of(case)] for case in cases}
    recorded, rows, used = run.recorder.table(), [], []
    for case in cases:
        mine = times[case.trainer]
        epoch = intervals.median(mine)
        speedup = "-" if BASELINE not in times else "1"
        if BASELINE in times and case.trainer != BASELINE:
            speedup = times_interval(intervals.ratio(times[BASELINE], mine))
        first = run.recorder.of(case)[0]
        rate, accuracy = f"{one.examples / epoch.value:,.0f}", f"{first.accuracy:.1%}"
        limit = f"{np.median([row.fraction_of_limit or 0.0 for row in run.recorder.of(case)]):.0%}"
        name = labelled(case.trainer, asdict(first)) + ("\n(disturbed)" if case.key in noisy else "")
        rows.append((name, duration_interval(epoch), str(len(mine)), rate, speedup, limit, accuracy))
        this = (recorded["workload"] == case.workload.name) & (recorded["trainer"] == case.trainer)
        used.append(energy_use.energy_use(recorded[this].iloc[0].to_dict()))
    yield Table(workload.title(workload.layers(run.inputs.splits.training), one.examples), headings, rows, numbers=True)
    more, cells = energy_use.columns(used)
    if more:
        names = [row[0] for row in rows]
        energy = [(name, *columns) for name, columns in zip(names, cells, strict=True)]
        yield Table(f"{workload.name}: energy", ("trainer", *more), energy, numbers=True)


def _by_reason(run: Run, noted: dict[Case, str]) -> dict[str, str]:
    """Return the names for each reason: a trainer if the reason applies to all of its cases, else the single cases."""
    reasons: dict[str, list[Case]] = {}
    for case, reason in noted.items():
        reasons.setdefault(reason, []).append(case)
    names = {}
    for reason, cases in reasons.items():
        everywhere = {case.trainer for case in cases if all(other in cases for other in run.cases if other.trainer == case.trainer)}
        names[reason] = ", ".join(dict.fromkeys(case.trainer if case.trainer in everywhere else case.title for case in cases))
    return names


def _nearby(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
