"""The directory of a contribution: its name, the cases in it, and how the rows of a finished case get into it."""

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

# The rows of one directory agree in these: its cases were measured by the same code, on the same machine, set up alike.
CONFIGURATION = ("machine", "cpu", "cores", "gpu", "threads", *(fact for fact in records.FACTS if fact != "dirty"))
_CSVS = ("main.csv", "large.csv", "book.csv", "huge.csv", "grid.csv")
_UNFINISHED = "unfinished"
_CASE = ["workload", "trainer"]  # the columns that make a case's key
_MOST = 1000  # directories of one machine


@dataclass(frozen=True)
class Directory:
    """A directory that holds nothing but measurements of one configuration.

    path    where it is
    reason  why it does not have an earlier name; empty if it has the first one
    """

    path: Path
    reason: str = ""

    @property
    def csvs(self) -> list[Path]:
        """The CSVs in it, in the order of the stages."""
        return [self.path / name for name in _CSVS if (self.path / name).is_file()]

    def working(self, stage: Stage) -> Path:
        """Return where the process of a stage writes."""
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
        """Move the rows of finished cases from what the stage's process wrote into the stage's CSV, in one step.

        A timed case is written as a whole. A training is finished after its last epoch. The rows of other cases are dropped.
        Raises InputError for a file that cannot be read, OSError if the disk is full; what was written then stays.
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
        """Make the directory, and keep other processes from measuring into it. Raises InputError if one already does."""
        existed = self.path.is_dir()
        records.check_writable(self.path)
        unfinished = self.path / _UNFINISHED
        unfinished.mkdir(exist_ok=True)
        owner, me = unfinished / "process", psutil.Process()
        if (other := _alive(owner)) and other != me.pid:
            raise InputError(f"{self.path}: process {other} measures into it already; wait until it ends, or end it")
        atomic_write(owner, f"{me.pid} {me.create_time()}\n")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
            for path in [unfinished, *([] if existed else [self.path])]:
                if not any(path.iterdir()):  # rows that could not be collected stay
                    path.rmdir()


def choose_directory(parent: Path, configuration: Mapping[str, object], dirty: bool, estimator: Estimator) -> Directory:
    """Return the directory for this configuration below the parent: MACHINE, or if that holds other rows, MACHINE-run2 and so on.

    configuration  a value for each of CONFIGURATION
    dirty          whether the suite's code was changed since its commit
    estimator      knows the workloads of the plan
    """
    reason = ""
    for number in range(1, _MOST):
        path = parent / (str(configuration["machine"]) + (f"-run{number}" if number > 1 else ""))
        differing = _differing(path, configuration, dirty, estimator)
        if not differing:
            return Directory(path, reason)
        reason = reason or f"{path} holds measurements that differ in {', '.join(differing)}"
    raise InputError(f"{parent}: it has {_MOST} directories of {configuration['machine']}; name another one with --results")


def _differing(path: Path, configuration: Mapping[str, object], dirty: bool, estimator: Estimator) -> list[str]:
    """Return in which columns the rows of a directory differ from the configuration; none if it has no rows."""
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
    """Return the keys of the cases of which a process wrote all rows."""
    data = path.read_bytes()
    if data.count(b"\n") < 2:  # it died at its first row
        return set()
    rows = records.read([path])
    keys = _keys(rows, stage.kind)
    if not data.endswith(b"\n"):  # it died while it wrote a case, which is the last one or has no row yet
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
    """Return the process that the file names, if it still runs; else 0."""
    try:
        number, started = owner.read_text(encoding="utf-8").split()
        process = psutil.Process(int(number))
        return process.pid if abs(process.create_time() - float(started)) < 1 and process.is_running() else 0
    except (OSError, ValueError, psutil.Error):
        return 0
