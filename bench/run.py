"""One run of a door: what is asked for, on which data and machine, and where its rows go."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np

from bench import blas, processors, records
from bench.limits import Peaks, Work, epoch_work
from bench.limits import measure as measure_processor
from bench.machine import Machine, describe, versioned
from bench.options import Options
from bench.ranks import launched
from bench.records import Row
from bench.verify import Oracle
from bench.workload import Workload
from impls import Dataset, InputError, Splits, Trainer, load_trainer, unavailable


@dataclass(frozen=True)
class Case:
    """One trainer on one workload. `absent` says why the trainer cannot run here, if it cannot."""

    workload: Workload
    trainer: str
    absent: str | None

    def __str__(self) -> str:
        return f"{self.workload.name}-{self.trainer}"


@dataclass
class Run:
    """What the cases of a run share. Make one with `prepare`."""

    options: Options
    splits: Splits
    threads: int
    machine: Machine
    run_id: str
    started_at: str
    commit: str
    dirty: bool | None
    cases: list[Case]
    kind: Literal["timing", "training"]
    writer: records.Writer
    rows: list[Row] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _oracles: dict[Workload, Oracle] = field(default_factory=dict)
    _peaks: dict[tuple[str, str], Peaks] = field(default_factory=dict)

    def trainer(self, case: Case) -> tuple[Trainer, Dataset]:
        """Return the case's trainer, ready to train from the workload's start, and the data of its epoch."""
        workload, data = case.workload, case.workload.data(self.splits)
        make = load_trainer(case.trainer)
        trainer = make(workload.network(data), data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
        return trainer, data

    def max_error(self, case: Case) -> float:
        """Verify the case's trainer; raises VerificationError if it does not compute what the oracle computes."""
        if case.workload not in self._oracles:
            self._oracles[case.workload] = Oracle(case.workload, self.splits)
        return self._oracles[case.workload].max_error(load_trainer(case.trainer))

    def peaks(self, device: str, dtype: str) -> Peaks:
        """Return what the device does at most: the best seen in this run so far, now included, because a limit is no average."""
        now = measured_peaks(device, dtype)
        self._peaks[device, dtype] = self._peaks.get((device, dtype), now).at_best(now)
        return self._peaks[device, dtype]

    def of(self, case: Case) -> list[Row]:
        """Return the rows of a case so far."""
        return [row for row in self.rows if (row.workload, row.trainer) == (case.workload.name, case.trainer)]

    def record(
        self,
        case: Case,
        trainer: Trainer,
        seconds: Sequence[float],
        accuracies: Sequence[float],
        max_error: float,
        peaks: Peaks | None = None,
    ) -> None:
        """Add a row for each epoch, numbered on from the case's last over as many ranks, and put them on the disk.

        peaks: what all ranks do at most together; None: measured here and now.
        """
        workload = case.workload
        done = sum(row.ranks == trainer.ranks for row in self.of(case))
        work, peaks = self._work(case, trainer), peaks or self.peaks(trainer.device, workload.dtype)
        rows = [
            Row(
                schema=records.SCHEMA,
                run_id=self.run_id,
                started_at=self.started_at,
                commit=self.commit,
                dirty=self.dirty,
                kind=self.kind,
                workload=workload.name,
                dataset=self.splits.training.name,
                layers="-".join(map(str, trainer.layers)),
                batch_size=workload.batch_size,
                learning_rate=workload.learning_rate,
                dtype=workload.dtype,
                examples=trainer.examples,
                seed=workload.seed,
                trainer=case.trainer,
                library=versioned(trainer.library),
                device=trainer.device,
                threads=self.threads,
                ranks=trainer.ranks,
                round=done + number,
                seconds=second,
                max_error=max_error,
                accuracy=accuracy,
                flops=work.flops,
                fraction_of_limit=peaks.floor(work) / second,
                **asdict(self.machine),
                bytes=work.bytes,
                peak_flops=peaks.flops,
                peak_bytes=peaks.bytes,
                launch_seconds=peaks.launch,
                graph_node_seconds=peaks.node,
            )
            for number, (second, accuracy) in enumerate(zip(seconds, accuracies, strict=True), start=1)
        ]
        if peaks.floor(work) > 1.1 * float(np.median(seconds)):  # a limit that is beaten by more than noise is none
            self.warnings.append(f"{case} beat its limit: the machine was busy when that was measured, so take no share of it for true")
        self.writer.add(rows)
        self.rows += rows

    def _work(self, case: Case, trainer: Trainer) -> Work:
        images = case.workload.data(self.splits).images
        share = np.count_nonzero(images) / images.size if trainer.skips_zeros else 1.0
        return epoch_work(trainer.layers, trainer.examples, trainer.dtype.itemsize, share=share)


def measured_peaks(device: str, dtype: str) -> Peaks:
    """Measure what the device does at most, now."""
    if device == "gpu":
        from bench.gpu_limits import measure

        return measure(dtype)
    return measure_processor(dtype)


def prepare(options: Options, *, kind: Literal["timing", "training"], ranks: int = 1) -> Run:
    """Check all that was asked for and return the run. Raises InputError before anything is measured or written.

    ranks: how many processes do this together. A launcher that started more would have each time something else and wait for the others.

    Holds this process to the threads asked for, so it must come before the trainers' libraries are loaded.
    """
    if launched() > ranks:
        raise InputError(f"this is one of {launched()} ranks, and would measure as if it were alone: mpiexec is for scale and fleet")
    threads = processors.hold(options.threads)
    trainers = {name: unavailable(name) for name in options.trainers}
    splits = options.splits()
    for workload in options.workloads:
        workload.data(splits)
    records.check_writable(options.results)
    machine = describe(options.machine)
    now = datetime.now(UTC)
    run_id = records.new_id(now)
    commit, dirty = _commit()
    narrow = (checked := blas.check()) and checked.warning()
    return Run(
        options=options,
        splits=splits,
        threads=threads,
        machine=machine,
        run_id=run_id,
        started_at=now.isoformat(timespec="seconds"),
        commit=commit,
        dirty=dirty,
        cases=[Case(workload, name, absent) for workload in options.workloads for name, absent in trainers.items()],
        kind=kind,
        warnings=[narrow] if narrow else [],
        writer=records.Writer(options.results / f"{run_id}-{kind}-{machine.machine}.csv"),
    )


def _commit() -> tuple[str, bool | None]:
    """Return the commit of the checkout that this package is in, and whether it was changed since; ("", None) outside of one."""
    root = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=30
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return "", None
        return git("rev-parse", "--short=12", "HEAD"), bool(git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return "", None
