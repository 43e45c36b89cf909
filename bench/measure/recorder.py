"""Timed epochs become rows: checked for what no machine can do, completed with the machine's columns, written at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bench import records
from bench.machine import peaks
from bench.machine.clock import Clock
from bench.machine.identity import Machine, versioned
from bench.machine.load import Shares
from bench.machine.roofline import Peaks, Work, epoch_work
from bench.measure.case import Case
from bench.records import Row, WriteError
from bench.records.schema import FIELDS
from bench.text.numbers import duration
from bench.verify.contract import ContractError
from impls import Dataset, Trainer, locate

if TYPE_CHECKING:
    import pandas as pd

# How many times as fast as its fastest product of matrices a machine cannot be. Not 1: the product may be measured while the machine
# is busy; and a trainer may do nothing with the four fifths of the pixels that are 0, without saying so.
_IMPOSSIBLE = 10


@dataclass(frozen=True)
class RunColumns:
    """The columns that all rows of a run have in common. `dirty`: of each trainer, whether its code is other than the commit's."""

    run_id: str
    started_at: str
    commit: str
    kind: Literal["timing", "training"]
    dataset: str
    threads: int
    machine: Machine
    dirty: Mapping[str, bool | None]

    def of(self, trainer: str) -> dict[str, Any]:
        """Return them for rows of the trainer, by name."""
        run = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "machine"}
        return run | asdict(self.machine) | {"dirty": self.dirty[trainer]}


@dataclass(frozen=True)
class Epochs:
    """Timed epochs of one case.

    seconds     wall time of each
    accuracies  fraction of the test images classified correctly after each
    max_error   of the verification
    others      what others took of the processors' time meanwhile
    """

    seconds: Sequence[float]
    accuracies: Sequence[float]
    max_error: float
    others: Shares


@dataclass
class Recorder:
    """The rows of a run, in memory and on the disk. `warnings`: what is said of them in the end."""

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
        """Return the rows so far as `records.read` would."""
        import pandas as pd

        numbers = {field.name: float for field in FIELDS if field.type is float}  # None becomes NaN
        return pd.DataFrame(self.rows, columns=records.COLUMNS).astype(numbers)

    def record(self, case: Case, trainer: Trainer, data: Dataset, epochs: Epochs, all_ranks: Peaks | None = None) -> None:
        """Add a row for each epoch, numbered on from the case's last over as many ranks, and put them on the disk.

        all_ranks  what several ranks do at most together; None: one process, whose peaks are measured after the case's first rows
        Raises ContractError for epochs that no machine can have computed, WriteError if the disk is full or gone.
        """
        done = sum(row.ranks == trainer.ranks for row in self.of(case))
        measured = [all_ranks] if all_ranks else self._measured(trainer, case, anew=not done)
        best = reduce(Peaks.at_best, measured)  # a limit is no average
        work = _work(trainer, data)
        typical = float(np.median(epochs.seconds))
        if work.flops > _IMPOSSIBLE * best.flops * typical:
            raise ContractError(
                f"returns too soon: {duration(typical)} an epoch, where this machine needs {duration(work.flops / best.flops)} for its "
                "operations; so it has left some out, or computed them before"
            )
        if not done and best.floor(work) > 1.1 * typical:  # a limit that is beaten by more than noise is none
            self.warnings.append(f"{case} beat its limit: the machine was busy when that was measured, so take no share of it for true")
        if not done and (warning := self.clock.warning(typical)):
            self.warnings.append(f"{case}: {warning}")
        # The case is over only where it was timed as a whole, by one process.
        after = None if all_ranks or self.columns.kind == "training" else measured[-1].flops
        rows = self._rows(case, trainer, epochs, done, work, best, after)
        self.rows += rows
        self.writer.add(rows)

    def withdraw(self, case: Case) -> None:
        """Take back the rows of a case whose trainer failed later."""
        theirs = self.of(case)
        before = self.rows.index(theirs[0]) if theirs else len(self.rows)
        after = [row for row in self.rows[before:] if row not in theirs]
        self.rows[before:] = after
        with suppress(WriteError):  # tried again at the end
            self.writer.keep(before)
        with suppress(WriteError):
            self.writer.add(after)

    def _measured(self, trainer: Trainer, case: Case, *, anew: bool) -> list[Peaks]:
        """Return the peaks of the trainer's device, one for each measurement of this run. With `anew`, the last one is measured now."""
        device, dtype = trainer.device, case.workload.dtype
        measured = self._peaks.setdefault((device, dtype), [])
        if anew:
            measured.append(peaks.measure_again(device, measured[0], dtype) if measured else peaks.measure(device, dtype))
        return measured

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
                **epochs.others._asdict(),
                flops_after=flops_after,
                implementation=":".join(locate(case.trainer)),
            )
            for number, (second, accuracy) in enumerate(zip(epochs.seconds, epochs.accuracies, strict=True), start=1)
        ]


def _work(trainer: Trainer, data: Dataset) -> Work:
    """Return the least work of the trainer's epoch on the data."""
    share = np.count_nonzero(data.images) / data.images.size if trainer.skips_zeros else 1.0
    return epoch_work(trainer.layers, trainer.examples, trainer.dtype.itemsize, share=share)
