"""History of each machine's trainers over its commits, with the changes in speed (`python -m bench compare --over-time`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import records
from bench.analysis import noise
from bench.analysis.noise import Disturbance
from bench.analysis.timings import RUN_TO_RUN_TOLERANCE, JobKey, RoundSeconds, grouped, ladder
from bench.stats.intervals import Interval, Sample
from bench.text.numbers import counted, duration_interval, times_interval
from bench.text.tables import Table
from impls import InputError

_REMEMBERED = 100  # the maximum number of runs since the last change to compare a commit with


@dataclass(frozen=True)
class Point:
    """A trainer's epoch time at a commit, over all runs of that commit.

    change  speedup over the runs since the last change; None if the speed did not change
    """

    commit: str
    started_at: str
    epoch: Interval
    runs: int
    change: Interval | None


@dataclass(frozen=True)
class Course:
    """A trainer on one job and machine, with a point per commit, oldest first."""

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
                point["change"] = point["change"] and point["change"].json()
        disturbed = [one._asdict() for one in self.disturbed]
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


def commits(courses: Sequence[Course]) -> list[tuple[str, str]]:
    """Return (start, commit) of every point, oldest first."""
    return sorted({(point.started_at, point.commit) for course in courses for point in course.points})


def _table(title: str, courses: Sequence[Course]) -> Table:
    shown = [{point.commit: _shown(point) for point in course.points} for course in courses]
    rows = [[started_at[:10], commit, *(points.get(commit, "-") for points in shown)] for started_at, commit in commits(courses)]
    return Table(title, ["date", "commit", *(course.trainer for course in courses)], rows)


def _shown(point: Point) -> str:
    if point.change is None:
        return duration_interval(point.epoch)
    word = "faster" if point.change.value > 1 else "slower"
    ratio = point.change if word == "faster" else Interval(1 / point.change.value, 1 / point.change.high, 1 / point.change.low)
    return f"{duration_interval(point.epoch)}\n{word}: {times_interval(ratio)}"


def history(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> History:
    """Return the courses of every machine's trainers over the commits.

    paths   CSV files, or directories to search
    broken  called with each file that cannot be read, and its error; the file is then skipped. None: raise the error
    Raises InputError if a file cannot be read.
    """
    table = records.read(records.files(paths), broken=broken)
    rows = table[table["kind"] == "timing"].sort_values("started_at", kind="stable")
    rows = rows.assign(commit=rows["commit"].where(rows["commit"] != "", "unknown") + rows["dirty"].map({True: " changed", False: ""}))
    case_columns = ["machine", "threads", "ranks", *records.JOB, "trainer"]
    begun = rows.groupby(["machine", "commit"])["started_at"].min().to_dict()
    courses: dict[tuple[Any, ...], dict[str, list[RoundSeconds]]] = {}
    for (*where, commit, _), seconds in grouped(rows, [*case_columns, "commit", "run_id"]):
        courses.setdefault(tuple(where), {}).setdefault(commit, []).append(seconds)
    followed = []
    for (machine, threads, ranks, *job, trainer), by_commit in courses.items():
        if len(by_commit) > 1:
            samples = [(commit, begun[machine, commit], runs) for commit, runs in by_commit.items()]
            followed.append(
                Course(machine, int(threads), int(ranks), JobKey(*job), trainer, _points(sorted(samples, key=lambda sample: sample[1])))
            )
    order = ladder(course.trainer for course in followed)
    courses_in_order = sorted(followed, key=lambda c: (c.machine, c.threads, c.ranks, c.job.width or 0, c.job, order.index(c.trainer)))
    return History(courses_in_order, noise.detect(rows))


def _points(samples: Sequence[tuple[str, str, list[RoundSeconds]]]) -> tuple[Point, ...]:
    """Return the points, each with its change from the runs since the last change.

    A point has a change if its interval and theirs do not overlap, and the medians differ by more than RUN_TO_RUN_TOLERANCE.
    """
    points: list[Point] = []
    since: list[RoundSeconds] = []
    for commit, started_at, runs in samples:
        now, change = Sample(runs), None
        before = Sample(since) if since else now
        if max(before.value / now.value, now.value / before.value) > RUN_TO_RUN_TOLERANCE:
            low, high = before.interval()[1:]
            if now.interval().low > high or now.interval().high < low:
                change, since = before.over(now), []
        since = [*since, *runs][-_REMEMBERED:]
        points.append(Point(commit, started_at, now.interval(), len(runs), change))
    return tuple(points)
