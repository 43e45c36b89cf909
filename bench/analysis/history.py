"""History of each machine's trainers over its commits, with the changes in speed (`python -m bench compare --over-time`).

A commit is compared with others in the same environment only: the same hardware, libraries and drivers on the same kind of virtual
machine. So a new processor or a new version of Python is marked, and not taken for a change of the code. A disturbed run is shown, and
not compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench import records
from bench.analysis import namesakes, noise
from bench.analysis.noise import Disturbance
from bench.analysis.timings import JobKey, RoundSeconds, grouped, ladder
from bench.stats.change_points import change_points
from bench.stats.intervals import Interval, Sample
from bench.text.numbers import counted, duration_interval, times_interval
from bench.text.tables import Table
from impls import InputError

if TYPE_CHECKING:
    import pandas as pd

_GPU_ONLY = ("gpu_driver", "cuda")
_ENVIRONMENT = ("machine", "library", *(fact for fact in records.FACTS if fact not in ("commit", "dirty", "numpy")))
_SHARED = tuple(name for name in _ENVIRONMENT if name not in ("library", *_GPU_ONLY))  # by the trainers of a run

Environment = tuple[str, ...]  # the values of _ENVIRONMENT; empty: unknown, or without effect on the trainer


class _Runs(NamedTuple):
    """The runs of a trainer at a commit in one environment: the start of the first, the seconds of each, and of those not disturbed."""

    commit: str
    started_at: str
    environment: Environment
    seconds: list[RoundSeconds]
    calm: list[RoundSeconds]


@dataclass(frozen=True)
class Mark:
    """A value of the environment that differs from that of the point before."""

    name: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.name}: {self.before} to {self.now}"


@dataclass(frozen=True)
class Point:
    """A trainer's epoch time at a commit, over all runs of that commit in one environment.

    epoch        of the undisturbed runs; of all runs if every run was disturbed
    disturbed    whether every run was
    runs         number of all runs
    over_first   speedup over the first commit with an undisturbed run in the same environment, or over the first if all are disturbed
    change       speedup over the level before, if a new level begins here; a level is all undisturbed runs of an environment between
                 two change points
    environment  number of the environment: points with the same number are compared
    marks        what differs in the environment from that of the point before
    """

    commit: str
    started_at: str
    epoch: Interval
    disturbed: bool
    runs: int
    over_first: Interval
    change: Interval | None
    environment: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Course:
    """A trainer on one job and machine, with a point per commit and environment, oldest first.

    machine  its name; several machines may have that name, in different environments
    """

    machine: str
    threads: int
    ranks: int
    job: JobKey
    trainer: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class History:
    """The courses with two or more commits, and the noisy cases."""

    courses: list[Course]
    disturbed: list[Disturbance]

    @property
    def hashes(self) -> set[str]:
        """The commits of all points; one with changed files counts as its commit."""
        return {point.commit.partition(" ")[0] for course in self.courses for point in course.points}

    def text(self) -> str:
        """Return the tables as text for a terminal."""
        return "\n\n".join(table.text() for table in self._tables())

    def markdown(self) -> str:
        """Return the tables as Markdown for an issue or a README."""
        return "\n\n".join(table.markdown() for table in self._tables())

    def json(self) -> str:
        """Return the history as one JSON object."""
        plain = [asdict(course) | {"job": course.job._asdict()} for course in self.courses]
        for course in plain:
            for point in course["points"]:
                point["epoch"] = point["epoch"].json()
                point["over_first"] = point["over_first"].json()
                point["change"] = point["change"] and point["change"].json()
        disturbed = [one.json() for one in self.disturbed]
        return json.dumps({"courses": plain, "disturbed": disturbed}, allow_nan=False, default=lambda number: number.item())

    def panels(self) -> list[tuple[str, list[Course]]]:
        """Return (title, courses) for each machine and job."""
        panels: dict[str, list[Course]] = {}
        for course in self.courses:
            threads = counted(course.threads, "thread") + (f", {counted(course.ranks, 'rank')}" if course.ranks > 1 else "")
            panels.setdefault(f"{course.machine}, {threads} · {course.job.title}", []).append(course)
        return list(panels.items())

    def _tables(self) -> list[Table]:
        tables = [_table(title, courses) for title, courses in self.panels()]
        if self.disturbed:
            tables.append(Table(noise.TITLE, (), (), noise.format_lines(self.disturbed)))
        return tables


def commits(courses: Sequence[Course]) -> dict[tuple[str, str], list[Mark]]:
    """Return the marks of each (start, commit) of any point, oldest first."""
    marks: dict[tuple[str, str], dict[Mark, None]] = {}
    for course in courses:
        for point in course.points:
            marks.setdefault((point.started_at, point.commit), {}).update(dict.fromkeys(point.marks))
    return {place: list(marks[place]) for place in sorted(marks)}


def _table(title: str, courses: Sequence[Course]) -> Table:
    shown = [{(point.started_at, point.commit): _shown(point) for point in course.points} for course in courses]
    places = commits(courses)
    marked = any(places.values())
    rows = [
        [
            started_at[:10],
            commit,
            *(points.get((started_at, commit), "-") for points in shown),
            *(["\n".join(map(str, marks))] if marked else []),
        ]
        for (started_at, commit), marks in places.items()
    ]
    return Table(title, ["date", "commit", *(course.trainer for course in courses), *(["environment"] if marked else [])], rows)


def _shown(point: Point) -> str:
    epoch = duration_interval(point.epoch) + (", disturbed" if point.disturbed else "")
    if point.change is None:
        return epoch
    word = "faster" if point.change.value > 1 else "slower"
    ratio = point.change if word == "faster" else point.change.inverse
    return f"{epoch}\n{word}: {times_interval(ratio)}"


def history(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> History:
    """Return the courses of every machine's trainers over the commits.

    paths   CSV files, or directories to search
    broken  called with each file that cannot be read, and its error; the file is then skipped. None: raise the error
    Raises InputError if a file cannot be read.
    """
    return of_table(namesakes.read(records.files(paths), broken=broken))


def of_table(table: pd.DataFrame) -> History:
    """Return the courses in a table from `namesakes.read`."""
    rows = table[table["kind"] == "timing"].sort_values("started_at", kind="stable")
    rows = rows.assign(commit=rows["commit"].where(rows["commit"] != "", "unknown") + rows["dirty"].map({True: " changed", False: ""}))
    rows = rows.assign(**{name: rows[name].where(rows["device"] == "gpu", "") for name in _GPU_ONLY})
    case_columns = ["given_name", "threads", "ranks", *records.JOB, "trainer"]
    begun = rows.groupby(["given_name", "commit", *_SHARED])["started_at"].min().to_dict()
    noisy = noise.detect(rows)
    disturbed = {(one.run_id, one.workload, one.trainer, one.ranks) for one in noisy}
    courses: dict[tuple[Any, ...], dict[tuple[str, Environment], _Runs]] = {}
    for key, seconds in grouped(rows, [*case_columns, "commit", *_ENVIRONMENT, "started_at", "run_id"]):
        case, (commit, *environment, started_at, run_id) = key[: len(case_columns)], key[len(case_columns) :]
        points = courses.setdefault(case, {})
        place = commit, tuple(environment)
        if place not in points:
            shared = (value for name, value in zip(_ENVIRONMENT, environment, strict=True) if name in _SHARED)
            start = begun[case[0], commit, *shared]
            taken = any(runs.started_at == start for runs in points.values())
            points[place] = _Runs(commit, started_at if taken else start, tuple(environment), [], [])
        points[place].seconds.append(seconds)
        if (run_id, case[3], case[-1], case[2]) not in disturbed:
            points[place].calm.append(seconds)
    followed = [
        Course(machine, int(threads), int(ranks), JobKey(*job), trainer, _points(sorted(points.values(), key=lambda runs: runs.started_at)))
        for (machine, threads, ranks, *job, trainer), points in courses.items()
        if len({commit for commit, _ in points}) > 1
    ]
    order = ladder(course.trainer for course in followed)
    courses_in_order = sorted(followed, key=lambda c: (c.machine, c.threads, c.ranks, c.job.width or 0, c.job, order.index(c.trainer)))
    return History(courses_in_order, noisy)


def _points(samples: Sequence[_Runs]) -> tuple[Point, ...]:
    """Return the points, each with its change from the level before, if its environment has a change point there."""
    environments: list[Environment] = []
    numbers: list[int] = []
    marks: list[tuple[Mark, ...]] = []
    last: Environment = ()
    for sample in samples:
        environment = sample.environment
        known = next((number for number, other in enumerate(environments) if not _marks(other, environment)), len(environments))
        if known == len(environments):
            environments.append(environment)
        environments[known] = _filled(environments[known], environment)
        numbers.append(known)
        marks.append(_marks(last, environment) if last else ())
        last = _filled(environment, last) if last else environment
    epochs = [Sample(sample.calm or sample.seconds) for sample in samples]
    firsts = {number: epochs[numbers.index(number)] for number in numbers}
    firsts |= {number: epochs[at] for at, number in reversed(list(enumerate(numbers))) if samples[at].calm}
    changes: dict[int, Interval] = {}
    for number in set(numbers):
        changes |= _changes({at: samples[at].calm for at, other in enumerate(numbers) if other == number and samples[at].calm})
    return tuple(
        Point(
            sample.commit,
            sample.started_at,
            epochs[at].interval(),
            not sample.calm,
            len(sample.seconds),
            Interval(1.0, 1.0, 1.0) if epochs[at] is firsts[numbers[at]] else firsts[numbers[at]].over(epochs[at]),
            changes.get(at),
            numbers[at],
            marks[at],
        )
        for at, sample in enumerate(samples)
    )


def _changes(runs: Mapping[int, list[RoundSeconds]]) -> dict[int, Interval]:
    """Return the change at each point that begins a new level: the ratio of the level before to this one.

    runs  the undisturbed runs of the points in one environment, by the number of the point, ascending
    """
    if not runs:
        return {}
    points = list(runs)
    starts = change_points([[math.log(np.median(seconds)) for seconds in runs[at]] for at in points])
    levels = [Sample([seconds for at in points[first:last] for seconds in runs[at]]) for first, last in pairwise([0, *starts, len(points)])]
    changes = {points[start]: before.over(now) for start, (before, now) in zip(starts, pairwise(levels), strict=True)}
    return {at: change for at, change in changes.items() if not change.low <= 1 <= change.high}  # the rounds may differ too much


def _filled(environment: Environment, other: Environment) -> Environment:
    """Return the environment with the other's values in place of unknown ones."""
    return tuple(one or another for one, another in zip(environment, other, strict=True))


def _marks(before: Environment, now: Environment) -> tuple[Mark, ...]:
    """Return a mark for every value that differs. An unknown value does not differ."""
    values = zip(_ENVIRONMENT, before, now, strict=True)
    return tuple(Mark(*value) for value in values if value[1] and value[2] and value[1] != value[2])
