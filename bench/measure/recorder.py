"""Recorder of timed epochs: rejects impossible times, adds the machine's columns, writes the rows to disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench import records
from bench.anatomy import calls
from bench.machine import blas, peaks
from bench.machine.accelerators import accelerator_columns
from bench.machine.clock import Clock
from bench.machine.identity import Machine, versioned
from bench.machine.roofline import Peaks, Work, trainer_work
from bench.measure.case import Case
from bench.measure.conditions import Conditions
from bench.measure.provenance import Code
from bench.records import Row, WriteError
from bench.records.schema import FIELDS
from bench.verify.contract import check_possible
from impls import Dataset, Trainer, locate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunColumns:
    """Columns that all rows of a run, or of a trainer, share. code: of each trainer"""

    run_id: str
    started_at: str
    kind: Literal["timing", "training"]
    dataset: str
    threads: int
    machine: Machine
    code: Mapping[str, Code]

    def of(self, trainer: str) -> dict[str, Any]:
        """Return the columns of the trainer's rows, by name."""
        run: dict[str, Any] = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("machine", "code")}
        return run | asdict(self.machine) | self.code[trainer]._asdict()


@dataclass(frozen=True)
class Epochs:
    """Timed epochs of one case.

    seconds     wall time of each epoch
    accuracies  fraction of the test images classified correctly after each epoch
    max_error   error of the verification
    conditions  conditions during the epochs
    """

    seconds: Sequence[float]
    accuracies: Sequence[float]
    max_error: float
    conditions: Conditions


@dataclass
class Recorder:
    """The rows of a run, in memory and on disk.

    warnings  warnings to print at the end of the run
    """

    columns: RunColumns
    writer: records.Writer
    clock: Clock
    rows: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _peaks: dict[tuple[str, str], list[Peaks]] = field(default_factory=dict)

    def of(self, case: Case) -> list[Row]:
        """Return the rows of a case so far."""
        return [row for row in self.rows if (row.workload, row.trainer) == case.key]

    def table(self) -> pd.DataFrame:
        """Return the rows so far in the form that `records.read` returns."""
        import pandas as pd

        numbers = {field.name: float for field in FIELDS if field.type is float}  # None becomes NaN
        return pd.DataFrame(self.rows, columns=records.COLUMNS).astype(numbers)

    def record(self, case: Case, trainer: Trainer, data: Dataset, epochs: Epochs, all_ranks: Peaks | None = None) -> None:
        """Add a row for each epoch and write the rows to disk. Their numbers follow the case's last row with the same number of ranks.

        all_ranks  peaks of several ranks together; None: one process, whose peaks this method measures at the case's first rows

        Raises EarlyReturnError if the epochs are impossibly fast, WriteError if the disk is full or missing.
        """
        done = sum(row.ranks == trainer.ranks for row in self.of(case))
        work = trainer_work(trainer, data)
        best, after = (all_ranks, None) if all_ranks else self._measured(case, trainer, work, epochs.seconds, anew=not done)
        check_possible(epochs.seconds, work, best)
        typical = float(np.median(epochs.seconds))
        if not done and _exceeded(best, work, typical):
            narrow = None if trainer.device == "gpu" else blas.narrow_kernels()
            why = f"because NumPy's product uses {narrow} kernels" if narrow else "probably because the machine was busy at that time"
            self.warnings.append(f"{case}: exceeded the measured peak, {why}; ignore its percent of peak")
        if not done and (warning := self.clock.warning(typical)):
            self.warnings.append(f"{case}: {warning}")
        if self.columns.kind == "training":
            after = None  # only a timing run calls this at the end of a case
        rows = self._rows(case, trainer, epochs, done, work, best, after)
        self.rows += rows
        self.writer.add(rows)

    def amend(self, case: Case, columns: Mapping[str, Any]) -> None:
        """Set some columns in all rows of a case."""
        amended = [replace(row, **columns) for row in self.of(case)]
        self.withdraw(case)
        self.rows += amended
        with suppress(WriteError):  # the run tries again at its end
            self.writer.add(amended)

    def withdraw(self, case: Case) -> None:
        """Remove the rows of a case."""
        theirs = self.of(case)
        before = self.rows.index(theirs[0]) if theirs else len(self.rows)
        after = [row for row in self.rows[before:] if row not in theirs]
        self.rows[before:] = after
        with suppress(WriteError):  # the run tries again at its end
            self.writer.keep(before)
        with suppress(WriteError):
            self.writer.add(after)

    def _measured(self, case: Case, trainer: Trainer, work: Work, seconds: Sequence[float], *, anew: bool) -> tuple[Peaks, float]:
        """Return the best peaks of the trainer's device in this run, and the last rate of the product.

        anew  whether to measure once more; epochs above the peak cause further measurements
        """
        library, dtype = peaks.library_for(type(trainer)), case.workload.dtype
        measured = self._peaks.setdefault((library, dtype), [])
        if anew and measured:
            measured.append(peaks.measure_again(library, measured[0], dtype))
        typical = float(np.median(seconds))
        best = peaks.best(measured, lambda known: not _exceeded(known, work, typical), library, dtype)
        return best, measured[-1].flops

    def _rows(
        self, case: Case, trainer: Trainer, epochs: Epochs, done: int, work: Work, best: Peaks, flops_after: float | None
    ) -> list[Row]:
        workload = case.workload
        return [
            Row(
                **self.columns.of(case.trainer),
                schema=records.SCHEMA,
                workload=workload.name,
                layers="-".join(map(str, trainer.layers)),
                batch_size=workload.batch_size,
                learning_rate=workload.learning_rate,
                dtype=workload.dtype,
                examples=trainer.examples,
                seed=workload.seed,
                trainer=case.trainer,
                library=versioned(trainer.library),
                device=trainer.device,
                ranks=trainer.ranks,
                round=done + number,
                seconds=second,
                max_error=epochs.max_error,
                accuracy=accuracy,
                flops=work.flops,
                fraction_of_limit=best.floor(work) / second,
                bytes=work.bytes,
                peak_flops=best.flops,
                peak_bytes=best.bytes,
                launch_seconds=best.launch,
                graph_node_seconds=best.node,
                **epochs.conditions.columns(),
                flops_after=flops_after,
                implementation=":".join(locate(case.trainer)),
                **calls.UNKNOWN,
                **accelerator_columns(type(trainer)),
                chosen_threads=trainer.chosen_threads,
            )
            for number, (second, accuracy) in enumerate(zip(epochs.seconds, epochs.accuracies, strict=True), start=1)
        ]


def _exceeded(best: Peaks, work: Work, seconds: float) -> bool:
    """Return whether an epoch takes less than its floor, by more than noise."""
    return best.floor(work) > 1.1 * seconds
