"""One run of a door: what is asked for, on which data and machine, and where its rows go."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from bench import records
from bench.analysis.noise import Shares
from bench.machine import affinity, blas, clock
from bench.machine.clock import Clock
from bench.machine.identity import Machine, describe, versioned
from bench.machine.roofline import Peaks, Work, epoch_work
from bench.machine.roofline import measure as measure_processor
from bench.options import Options
from bench.records import Row, WriteError
from bench.records.schema import FIELDS
from bench.system import git, launcher
from bench.text.numbers import counted, duration
from bench.verify.contract import InputsChangedError, unchanged
from bench.verify.oracle import ContractError, Oracle
from bench.workload import Workload
from impls import TRAINERS, Dataset, InputError, Network, Splits, Trainer, load_trainer, unavailable

# How many times as fast as its fastest product of matrices a machine cannot be. Not 1: the product may be measured while the machine
# is busy; and a trainer may do nothing with the four fifths of the pixels that are 0, without saying so.
_IMPOSSIBLE = 10

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Case:
    """One trainer on one workload. `absent` says why the trainer cannot run here, if it cannot."""

    workload: Workload
    trainer: str
    absent: str | None

    def __str__(self) -> str:
        return f"{self.workload.name}-{self.trainer}"

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.workload.name} {self.trainer}"


@dataclass
class Run:
    """What the cases of a run share. Make one with `prepare`.

    dirty            whether each trainer's code is other than the commit's
    reached          what was last being done to each case that was begun
    skipped, failed  the cases that gave no row, and why
    finished         those that ended, whichever way
    """

    options: Options
    splits: Splits
    threads: int
    machine: Machine
    run_id: str
    started_at: str
    commit: str
    dirty: dict[str, bool | None]
    cases: list[Case]
    kind: Literal["timing", "training"]
    writer: records.Writer
    clock: Clock
    rows: list[Row] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    reached: dict[Case, str] = field(default_factory=dict)
    finished: set[Case] = field(default_factory=set)
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    _oracles: dict[Workload, Oracle] = field(default_factory=dict)
    _peaks: dict[tuple[str, str], list[Peaks]] = field(default_factory=dict)

    def trainer(self, case: Case) -> tuple[Trainer, Dataset]:
        """Return the case's trainer, ready to train from the workload's start, and the data of its epoch."""
        workload, data = case.workload, case.workload.data(self.splits)
        make = load_trainer(case.trainer)
        trainer = make(workload.network(data), data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
        return trainer, data

    @contextmanager
    def lend(self, case: Case) -> Iterator[tuple[Network, npt.NDArray[np.int64]]]:
        """Yield the weights and the order of the case's epoch. At the end they, and the data, must be as they were.

        Raises InputsChangedError if the trainer has changed any; the next one is given new ones.
        """
        data, test = case.workload.data(self.splits), self.splits.test
        start, order = case.workload.network(data), data.order(seed=case.workload.seed)
        images, labels, weights = [data.images, test.images], [data.labels, test.labels], [*start.weights, *start.biases]
        try:
            with unchanged(images=images, labels=labels, order=[order], weights=weights):
                yield start, order
        except InputsChangedError:
            self.splits = self.options.splits()
            self._oracles.clear()
            raise

    def max_error(self, case: Case) -> float:
        """Verify the case's trainer; raises VerificationError if it does not compute what the oracle computes."""
        if case.workload not in self._oracles:
            self._oracles[case.workload] = Oracle(case.workload, self.splits)
        return self._oracles[case.workload].max_error(load_trainer(case.trainer))

    def peaks(self, device: str, dtype: str, *, anew: bool) -> list[Peaks]:
        """Return what the device did at most, each time that it was measured in this run; if anew, the last time is now."""
        measured = self._peaks.setdefault((device, dtype), [])
        if anew:
            measured.append(measured_peaks(device, dtype))
        return measured

    def of(self, case: Case) -> list[Row]:
        """Return the rows of a case so far."""
        return [row for row in self.rows if (row.workload, row.trainer) == (case.workload.name, case.trainer)]

    def table(self) -> pd.DataFrame:
        """Return the rows so far as `records.read` would."""
        import pandas as pd

        numbers = {field.name: float for field in FIELDS if field.type is float}  # None becomes NaN
        return pd.DataFrame(self.rows, columns=records.COLUMNS).astype(numbers)

    def unfinished(self) -> dict[Case, str]:
        """Return the cases that have not ended, and how far each came."""
        return {
            case: f"stopped ({self.reached[case]})" if case in self.reached else "not reached"
            for case in self.cases
            if case not in self.finished
        }

    def withdraw(self, case: Case) -> None:
        """Take back the rows of a case whose trainer was found out later."""
        theirs = self.of(case)
        before = self.rows.index(theirs[0]) if theirs else len(self.rows)
        after = [row for row in self.rows[before:] if row not in theirs]
        self.rows[before:] = after
        with suppress(WriteError):  # tried again at the end
            self.writer.keep(before)
        with suppress(WriteError):
            self.writer.add(after)

    def record(
        self,
        case: Case,
        trainer: Trainer,
        seconds: Sequence[float],
        accuracies: Sequence[float],
        max_error: float,
        taken: Shares,
        together: Peaks | None = None,
    ) -> None:
        """Add a row for each epoch, numbered on from the case's last over as many ranks, and put them on the disk.

        taken     what others took of the processors' time meanwhile
        together  what all ranks do at most together, if they are several and it was measured already
        The machine's peaks are measured after a case's first rows. The best so far counts, because a limit is no average.
        Raises ContractError for epochs that no machine can have computed, WriteError if the disk is full or gone.
        """
        workload = case.workload
        done = sum(row.ranks == trainer.ranks for row in self.of(case))
        measured = [together] if together else self.peaks(trainer.device, workload.dtype, anew=not done)
        work, peaks = self._work(case, trainer), reduce(Peaks.at_best, measured)
        rows = [
            Row(
                schema=records.SCHEMA,
                run_id=self.run_id,
                started_at=self.started_at,
                commit=self.commit,
                dirty=self.dirty[case.trainer],
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
                load=taken.load,
                steal=taken.steal,
                flops_after=None if together or self.kind == "training" else measured[-1].flops,  # the case is over only then
            )
            for number, (second, accuracy) in enumerate(zip(seconds, accuracies, strict=True), start=1)
        ]
        typical = float(np.median(seconds))
        if work.flops > _IMPOSSIBLE * peaks.flops * typical:
            raise ContractError(
                f"returns too soon: {duration(typical)} an epoch, where this machine needs {duration(work.flops / peaks.flops)} for its "
                "operations; so it has left some out, or computed them before"
            )
        if not done and peaks.floor(work) > 1.1 * typical:  # a limit that is beaten by more than noise is none
            self.warnings.append(f"{case} beat its limit: the machine was busy when that was measured, so take no share of it for true")
        if not done and (warning := self.clock.warning(typical)):
            self.warnings.append(f"{case}: {warning}")
        self.rows += rows
        self.writer.add(rows)

    def close(self, *, stopped: bool = False) -> None:
        """Give the CSV its name, unless the run was stopped. What a full disk prevents is a warning."""
        if not self.rows:
            return
        try:
            self.files.append(self.writer.save() if stopped else self.writer.close())
        except WriteError as error:
            lost = counted(len(self.rows) - self.writer.written, "row")
            self.warnings.append(f"{error}: {lost} lost; the others are in {self.writer.partial}" if self.writer.written else f"{error}")

    def draw(self) -> None:
        """Draw the charts of a closed run, if they are wanted. What prevents them is a warning."""
        if self.files and self.options.charts:
            from bench import plot

            try:
                self.files += plot.charts(self.files)
            except (InputError, OSError) as error:
                self.warnings.append(f"no charts: {error}")

    def _work(self, case: Case, trainer: Trainer) -> Work:
        images = case.workload.data(self.splits).images
        share = np.count_nonzero(images) / images.size if trainer.skips_zeros else 1.0
        return epoch_work(trainer.layers, trainer.examples, trainer.dtype.itemsize, share=share)


def absent(trainer: str) -> str | None:
    """Return why a trainer cannot be measured here, with the command that would mend it, or None if it can."""
    reason = unavailable(trainer)
    if reason is None and load_trainer(trainer).device == "gpu" and (missing := unavailable("gpu")):
        return f"what a GPU does at most is measured with CuPy. {missing}"
    return reason


def measured_peaks(device: str, dtype: str) -> Peaks:
    """Measure what the device does at most, now."""
    if device == "gpu":
        from bench.machine.peaks_gpu import measure

        return measure(dtype)
    return measure_processor(dtype)


def prepare(options: Options, *, kind: Literal["timing", "training"], ranks: int = 1) -> Run:
    """Check all that was asked for and return the run. Raises InputError before anything is measured or written.

    ranks: how many processes do this together. A launcher that started more would have each time something else and wait for the others.

    Holds this process to the threads asked for, so it must come before the trainers' libraries are loaded.
    """
    if launcher.ranks() > ranks:
        raise InputError(f"this is one of {launcher.ranks()} ranks, and would measure as if it were alone: mpiexec is for scale and fleet")
    threads = affinity.hold(options.threads)
    trainers = {name: absent(name) for name in options.trainers}
    splits = options.splits()
    for workload in options.workloads:
        workload.data(splits)
    records.check_writable(options.results)
    machine = describe(options.machine)
    now = datetime.now(UTC)
    run_id = records.new_id(now)
    commit, dirty = _provenance(trainers)
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
        clock=clock.measure(),
        writer=records.Writer(options.results / f"{run_id}-{kind}-{machine.machine}.csv"),
    )


def _provenance(trainers: Mapping[str, str | None]) -> tuple[str, dict[str, bool | None]]:
    """Return the commit of the checkout that this package is in, and whether each trainer's code is other than there.

    trainers  why each cannot run here, if it cannot
    Outside of a checkout there is no commit, and nothing is known.
    """
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return "", dict.fromkeys(trainers)
    try:
        commit, changed = git.state(root)
        mine = {name: load_trainer(name).__module__ for name, absent in trainers.items() if name not in TRAINERS and not absent}
        files = {name: getattr(sys.modules[module], "__file__", None) for name, module in mine.items()}
        strange = [name for name, file in files.items() if not (file and git.holds(root, Path(file)))]
    except InputError:
        return "", dict.fromkeys(trainers)
    return commit, {name: changed or name in strange for name in trainers}
