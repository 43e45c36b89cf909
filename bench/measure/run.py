"""One run: its options, data, machine, cases and output files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bench import records
from bench.machine import affinity, blas, clock, energy, power_settings
from bench.machine.accelerators import sensed
from bench.machine.energy import Counters
from bench.machine.identity import Machine, describe
from bench.machine.restrictions import restrictions
from bench.measure.case import Case, absent
from bench.measure.inputs import Inputs
from bench.measure.outcomes import Outcomes
from bench.measure.provenance import provenance
from bench.measure.recorder import Recorder, RunColumns
from bench.options import Options
from bench.records import WriteError
from bench.system import launcher
from bench.system.own_command import own_command
from bench.text.numbers import counted
from impls import InputError, load_trainer


@dataclass
class Run:
    """State that the cases of a run share. Create it with `prepare`.

    inputs    inputs of the trainers
    outcomes  outcomes of the cases
    recorder  recorder of the rows
    energy    counters of the energy of a device, "cpu" or "gpu", if it has any
    files     files that the run has written; complete after `close` and `draw`
    """

    options: Options
    cases: list[Case]
    inputs: Inputs
    outcomes: Outcomes
    recorder: Recorder
    energy: dict[str, Counters] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    @property
    def machine(self) -> Machine:
        """The measured machine."""
        return self.recorder.columns.machine

    @property
    def threads(self) -> int:
        """Number of threads that a trainer may use."""
        return self.recorder.columns.threads

    @property
    def warnings(self) -> list[str]:
        """Warnings to print at the end of the run."""
        return self.recorder.warnings

    def prefix(self, case: Case) -> str:
        """Return the start of a line about the case: its number, the number of cases that can run here, and its name."""
        present = [other for other in self.cases if not other.absent or other == case]
        widest = max(len(other.title) for other in present)
        return f"[{present.index(case) + 1:>{len(str(len(present)))}}/{len(present)}] {case.title:<{widest}}"

    def absent(self) -> str:
        """Return a line about the trainers that cannot run here, or an empty text."""
        trainers = {case.trainer for case in self.cases if case.absent}
        why = f"{own_command()} trainers shows what each of them needs"
        return f"{counted(len(trainers), 'trainer')} cannot run here: {why}" if trainers else ""

    def unfinished(self) -> dict[Case, str]:
        """Return the cases that have not ended, each with the last step that it reached."""
        return self.outcomes.unfinished(self.cases)

    def close(self, *, stopped: bool = False) -> None:
        """Rename the partial file to its final name, unless the run was stopped. A full disk causes a warning."""
        writer, rows = self.recorder.writer, self.recorder.rows
        if not rows:
            return
        try:
            self.files.append(writer.save() if stopped else writer.close())
        except WriteError as error:
            lost = counted(len(rows) - writer.written, "row")
            self.warnings.append(f"{error}; {lost} lost, the others are in {writer.partial}" if writer.written else f"{error}")

    def draw(self) -> None:
        """Draw the charts of a closed run, if the options ask for them. A failure of any kind causes a warning: the rows count more."""
        if self.files and self.options.charts:
            try:
                from bench.plot import charts

                self.files += charts.draw(self.files)
            except Exception as error:
                self.warnings.append(f"charts: not drawn ({error})")


def prepare(options: Options, *, kind: Literal["timing", "training"], ranks: int = 1) -> Run:
    """Check the options and return the run. Raises InputError before it measures or writes anything.

    ranks  number of processes that share the run. If a launcher started more, each would time a separate run and wait for the others.

    Limits this process to the requested threads. Call it before the trainers' libraries are loaded.
    """
    if launcher.ranks() > ranks:
        raise InputError("mpiexec", f"this process is one of {launcher.ranks()} ranks", "only scale and fleet run under mpiexec")
    given = affinity.thread_variables()
    restricted = [*restrictions(options.threads or affinity.default_threads(), pinned=ranks > 1), *power_settings.problems()]
    threads = affinity.limit_threads(options.threads)
    trainers = {name: absent(name) for name in options.trainers}
    inputs = Inputs(options.splits)
    for workload in options.workloads:
        workload.data(inputs.splits)
    records.check_writable(options.results)
    machine = describe(options.machine)
    now = datetime.now(UTC)
    run_id = records.new_id(now)
    code, warnings = provenance(trainers)
    warnings += restricted
    columns = RunColumns(
        run_id=run_id,
        started_at=now.isoformat(timespec="seconds"),
        kind=kind,
        dataset=inputs.splits.training.name,
        threads=threads,
        machine=machine,
        code=code,
    )
    if ignored := [f"{name}={number}" for name, number in given.items() if number != str(threads)]:
        warnings.append(f"{', '.join(ignored)}: not used; every trainer may use {counted(threads, 'thread')}; give --threads N instead")
    if (kernels := blas.check_kernels()) and (warning := kernels.warning()):
        warnings.append(warning)
    recorder = Recorder(
        columns,
        records.Writer(options.results / f"{run_id}-{kind}-{machine.machine}.csv"),
        clock.measure(),
        warnings=warnings,
    )
    cases = [Case(workload, name, reason) for workload in options.workloads for name, reason in trainers.items()]
    counters = _counters(trainers) if kind == "timing" and ranks == 1 else {}
    return Run(options, cases, inputs, Outcomes(), recorder, counters)


def _counters(trainers: Mapping[str, str | None]) -> dict[str, Counters]:
    """Return the energy counters of the devices of the trainers that can run, and measure their power at idle, before the first case."""
    devices = {sensed(load_trainer(name)) for name, absent in trainers.items() if not absent} - {""}
    found = {device: energy.find(device)[0] for device in devices}
    return {device: energy.measured(counters) for device, counters in found.items() if counters}
