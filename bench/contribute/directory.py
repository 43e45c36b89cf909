"""Directory of a contribution: its name, its cases, and the collection of the rows of finished cases."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from bench import records
from bench.contribute.estimator import Estimator
from bench.contribute.stages import Stage
from bench.system.files import atomic_write
from impls import TRAINERS, InputError

if TYPE_CHECKING:
    import pandas as pd

# The rows of a directory have the same values in these columns: the same code, machine and setup.
CONFIGURATION = ("machine", "threads", *(name for name in (*records.HARDWARE, *records.FACTS) if name not in ("memory_gib", "dirty")))
_CSVS = ("main.csv", "large.csv", "book.csv", "huge.csv", "grid.csv")
_UNFINISHED = "unfinished"
_CASE = ["workload", "trainer"]  # the columns of the key of a case
_MOST = 1000  # directories per machine


@dataclass(frozen=True)
class Directory:
    """A directory with measurements of a single configuration.

    path    of the directory
    reason  why it has a number in its name; empty if it has none
    """

    path: Path
    reason: str = ""

    @property
    def csvs(self) -> list[Path]:
        """The CSVs in the directory, in the order of the stages."""
        return [self.path / name for name in _CSVS if (self.path / name).is_file()]

    def working(self, stage: Stage) -> Path:
        """Return the directory that the process of a stage writes to."""
        return self.path / _UNFINISHED / stage.name

    def measured(self, stage: Stage) -> set[tuple[str, str]]:
        """Return the keys of the cases in the stage's CSV."""
        path = self.path / stage.file
        return _keys(records.read([path]), stage.kind) if path.is_file() else set()

    def medians(self) -> dict[tuple[str, str], float]:
        """Return the median epoch of each timed case, by its key."""
        seconds: dict[tuple[str, str], float] = {}
        for path in self.csvs:
            rows = records.read([path])
            for (workload, trainer), epochs in rows[rows["kind"] == "timing"].groupby(_CASE)["seconds"]:
                seconds[str(workload), str(trainer)] = float(epochs.median())
        return seconds

    def collect(self, stage: Stage) -> None:
        """Move the rows of finished cases from the stage's working directory into its CSV, by atomic writes.

        A timed case is written with all its rows at once. A training is finished after its last epoch. Rows of other cases are dropped.
        Raises InputError if a file cannot be read, OSError if the disk is full. The working directory then stays.
        """
        working, target = self.working(stage), self.path / stage.file
        for source in sorted(working.glob("*.csv")):
            if not (finished := _finished(source, stage)):
                continue
            before = target.read_text(encoding="utf-8") if target.is_file() else ""
            header, *lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
            columns = [next(csv.reader([header])).index(name) for name in _CASE]
            wanted = finished - self.measured(stage)
            rows = [line for line in lines if line.endswith("\n") and _key(line, columns) in wanted]
            if rows:
                atomic_write(target, before + ("" if before.startswith(header) else header) + "".join(rows))
        shutil.rmtree(working, ignore_errors=True)

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Create the directory and lock it against other processes. Raises InputError if another process has the lock."""
        existed = self.path.is_dir()
        records.check_writable(self.path)
        unfinished = self.path / _UNFINISHED
        unfinished.mkdir(exist_ok=True)
        owner, me = unfinished / "process", psutil.Process()
        if (other := _alive(owner)) and other != me.pid:
            raise InputError(self.path, f"process {other} is measuring into it", "wait until it ends, or end it")
        atomic_write(owner, f"{me.pid} {me.create_time()}\n")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
            for path in [unfinished, *([] if existed else [self.path])]:
                if not any(path.iterdir()):  # keeps rows that could not be collected
                    path.rmdir()


def choose_directory(parent: Path, configuration: Mapping[str, object], dirty: bool, estimator: Estimator) -> Directory:
    """Return the directory of this configuration in the parent: MACHINE, or MACHINE-run2 and so on if MACHINE has other rows.

    configuration  a value for each column of CONFIGURATION
    dirty          whether the suite's code has changed since its commit
    estimator      has the workloads of the plan
    Raises InputError if the parent has too many directories of the machine.
    """
    reason = ""
    for number in range(1, _MOST):
        path = parent / (str(configuration["machine"]) + (f"-run{number}" if number > 1 else ""))
        differing = _differing(path, configuration, dirty, estimator)
        if not differing:
            return Directory(path, reason)
        reason = reason or f"{path} has measurements that differ in {', '.join(differing)}"
    raise InputError(parent, f"it has {_MOST} directories of {configuration['machine']}", "choose another one with --results")


def _differing(path: Path, configuration: Mapping[str, object], dirty: bool, estimator: Estimator) -> list[str]:
    """Return the columns in which the rows of a directory differ from the configuration; empty if it has no rows."""
    csvs = Directory(path).csvs
    if not csvs:
        return []
    rows = records.read(csvs)
    differing = [name for name in CONFIGURATION if not (rows[name] == configuration[name]).all()]
    if (rows.loc[rows["trainer"].isin(list(TRAINERS)), "dirty"] != dirty).any():
        differing.append("dirty")
    jobs = rows[["workload", "examples", "dtype", "seed", "dataset"]].drop_duplicates()
    if not all(_is_planned(job, estimator) for job in jobs.itertuples(index=False)):
        differing.append("examples or data")
    return differing


def _is_planned(job: Any, estimator: Estimator) -> bool:
    workload = estimator.workloads.get(job.workload)
    if workload is None:
        return False
    return (job.examples, job.dtype, job.seed, job.dataset) == (estimator.examples(workload), workload.dtype, workload.seed, "mnist")


def _finished(path: Path, stage: Stage) -> set[tuple[str, str]]:
    """Return the keys of the cases whose rows are all in the file."""
    data = path.read_bytes()
    if data.count(b"\n") < 2:  # the process died in its first row
        return set()
    rows = records.read([path])
    keys = _keys(rows, stage.kind)
    if not data.endswith(b"\n"):  # the process died while it wrote a case: the last one here, or one without a row
        keys.discard((rows["workload"].iloc[-1], rows["trainer"].iloc[-1]))
    if stage.epochs:
        epochs = rows.groupby(_CASE)["round"].max()
        keys = {key for key in keys if epochs[key] >= stage.epochs}
    return keys


def _keys(rows: pd.DataFrame, kind: str) -> set[tuple[str, str]]:
    mine = rows[rows["kind"] == kind]
    return set(zip(mine["workload"], mine["trainer"], strict=True))


def _key(line: str, columns: list[int]) -> tuple[str, ...]:
    cells = next(csv.reader([line]))
    return tuple(cells[column] for column in columns)


def _alive(owner: Path) -> int:
    """Return the id of the process that the file names, or 0 if it no longer runs."""
    try:
        number, started = owner.read_text(encoding="utf-8").split()
        process = psutil.Process(int(number))
        return process.pid if abs(process.create_time() - float(started)) < 1 and process.is_running() else 0
    except (OSError, ValueError, psutil.Error):
        return 0
