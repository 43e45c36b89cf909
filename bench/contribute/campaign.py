"""A contribution from its start to its end: the plan, the stages within the time, the checks, the charts, the summary."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import bench
from bench import records
from bench.analysis import noise
from bench.analysis.timings import BASELINE
from bench.contribute import child, summary
from bench.contribute.child import event
from bench.contribute.directory import SETUP, Directory, find
from bench.contribute.stages import SHORT, Case, Known, Stage, fitting, stages, trial
from bench.machine import affinity
from bench.machine.identity import Machine, describe
from bench.machine.load import Meter
from bench.options import Options
from bench.system import files
from bench.text.numbers import counted, plain
from bench.text.tables import Table
from bench.workload import WORKLOADS
from impls import InputError, Splits, unavailable

_CLOSING = 15.0  # seconds kept for the checks, the charts and the summary
_PACE = (0.5, 4.0)  # an estimate is corrected by what the stages before took, within these factors
_BUSY = 0.05  # of the processors' time: from there on, disturbances marks a case
_PROBING = 300.0  # seconds in which every trainer's libraries must load


@dataclass(frozen=True)
class Asked:
    """What the user asked for, and the code that is measured.

    command  of the user, without the directory
    again    command that goes on with the contribution
    commit   of the checkout; empty without one
    dirty    whether the code was changed since then
    parent   of the directory
    pulls    whether the directory is in a checkout, from which it can go into a pull request
    """

    options: Options
    minutes: float
    command: str
    again: str
    commit: str
    dirty: bool
    parent: Path
    pulls: bool


@dataclass
class Outcome:
    """What became of a stage's cases that have no rows.

    skipped  the case is not made for the trainer, by its reason
    failed   the trainer failed
    late     the time was too short, by how much
    """

    stage: Stage
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)
    late: dict[Case, str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


def contribute(asked: Asked, *, say: Callable[[str], None], progress: Callable[[str], None], plan: Sequence[Stage] | None = None) -> int:
    """Measure within the time, and return the exit code: 1 if a check complains or a trainer failed, 3 if nothing was measured.

    say       prints a line
    progress  shows a line in place of the last one
    plan      the stages, if not all
    Raises InputError before anything is measured, or if rows cannot be read back; Stopped when interrupted: finished cases are kept.
    """
    deadline = time.monotonic() + 60 * asked.minutes
    progress("looking at this machine")
    machine, threads = describe(asked.options.machine), asked.options.threads or affinity.available()
    if threads > affinity.available():
        raise InputError(f"--threads {threads}: this process may run on {affinity.available()} processors; give fewer")
    meter = Meter()
    devices, absent = _probe(asked.options.trainers)
    load = meter.shares().load
    plan, splits = plan or stages(asked.options.workloads[0].examples), asked.options.splits()
    known = Known(devices, {one.name: one for stage in plan for one in stage.workloads}, len(splits.training))
    setup = {**{name: value for name, value in asdict(machine).items() if name in SETUP}, "threads": threads, "commit": asked.commit}
    directory = find(asked.parent, setup, asked.dirty, known)
    with directory.owned():
        for stage in plan:  # of a call that was killed
            directory.collect(stage)
        directory.learn(known)
        known.trial = _trial(known, splits)
        contribution = _Contribution(asked, machine, directory, plan, known, absent, deadline, say, progress)
        contribution.announce(threads, load)
        try:
            contribution.measure()
        except BaseException:
            contribution.conclude(charts=False)  # at once: the user waits for it to end
            raise
        return contribution.close()


def _probe(trainers: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the device of each trainer that can run here, and why the others cannot. Raises InputError for a name that there is not."""
    found: dict[str, dict[str, str]] = {}
    command = ["-m", "bench.contribute.probe", ",".join(trainers)]
    ended = child.run(command, seconds=_PROBING, line=lambda line: found.update(event(line) or {}))
    if not found:
        raise InputError(f"--trainers: {ended.tail[-1] if ended.tail else f'their libraries end the interpreter, exit code {ended.code}'}")
    return found["able"], found["absent"]


def _trial(known: Known, splits: Splits) -> dict[str, float]:
    if unavailable(BASELINE):
        return {}
    return {name: trial(known.workloads[name], splits) for name in ("nielsen", "wide", "large") if name in known.workloads}


class _Contribution:
    def __init__(
        self,
        asked: Asked,
        machine: Machine,
        directory: Directory,
        plan: Sequence[Stage],
        known: Known,
        absent: Mapping[str, str],
        deadline: float,
        say: Callable[[str], None],
        progress: Callable[[str], None],
    ) -> None:
        self._asked, self._machine, self._directory, self._plan, self._known = asked, machine, directory, plan, known
        self._absent, self._deadline, self._say, self._progress = absent, deadline, say, progress
        self._outcomes: list[Outcome] = []
        self._estimated = self._taken = 0.0  # seconds of the stages so far

    def announce(self, threads: int, load: float | None) -> None:
        """Print the machine, the plan and its times. load: share of the processors' time that other processes take."""
        machine, code = self._machine, f"commit {self._asked.commit}" if self._asked.commit else "no commit"
        self._say(f"machine   {machine.machine} ({machine.cpu}, {counted(machine.cores, 'core')}, {machine.gpu or 'no GPU'})")
        self._say(f"software  Python {machine.python.split()[-1]}, NumPy {machine.numpy} on {machine.blas}, {counted(threads, 'thread')}")
        self._say(f"code      {code}{', changed since: check will refuse the result' if self._asked.dirty else ''}")
        if self._directory.other:
            self._say(f"results   {self._directory.path}, because {self._directory.other}")
        else:
            self._say(f"results   {self._directory.path}")
        for reason, names in summary.by_reason(self._absent).items():
            self._say(f"left out  {', '.join(names)}: {reason}")
        if load and load > _BUSY:
            self._say(f"warning: other processes take {load:.0%} of the processors' time, so every figure will be too slow; end them first")
        rows = []
        for stage in self._plan:
            cases, missing = self._cases(stage)
            seconds = sum(stage.seconds(missing, self._known, self._asked.options.rounds))
            when = about(seconds) if missing else "already measured" if cases else "no trainer for it here"
            rows.append([stage.name, stage.question, str(len(missing)) if missing else "-", when])
        self._say("")
        self._say(Table("What is measured, in this order:", ["stage", "question", "cases", "time"], rows).text())
        self._say("")
        minutes = f"{self._asked.minutes:g} {'minute' if self._asked.minutes == 1 else 'minutes'}"
        self._say(f"It ends after {minutes}, even if stages are left. Until then, run nothing else on this machine.")
        self._say("Ctrl-C ends it at any time: finished cases are kept, and the same command measures the others.")

    def measure(self) -> None:
        """Measure the stages, as far as the time allows."""
        for number, stage in enumerate(self._plan, start=1):
            cases, missing = self._cases(stage)
            place = f"\n[{number}/{len(self._plan)}] {stage.name}"
            if not cases:
                continue
            if not missing:
                self._say(f"{place}: already measured, {counted(len(cases), 'case')} in {stage.file}")
                continue
            outcome = Outcome(stage)
            self._outcomes.append(outcome)
            self._stage(place, missing, outcome)
        # What seemed too long may fit into the time that is left in the end.
        count = -1
        while count != (count := sum(len(outcome.late) for outcome in self._outcomes)):
            for outcome in self._outcomes:
                if late := dict(outcome.late):
                    outcome.late.clear()
                    self._stage(f"\n{outcome.stage.name} again", list(late), outcome, again=True)
                    if outcome.late.keys() == late.keys():
                        outcome.late.update(late)  # with the first reason

    def _cases(self, stage: Stage) -> tuple[list[Case], list[Case]]:
        """Return all cases of a stage, and those without rows."""
        measured, cases = self._directory.measured(stage), stage.cases(self._known)
        return cases, [case for case in cases if case.key not in measured]

    def _left(self) -> float:
        return self._deadline - time.monotonic() - _CLOSING

    def _stage(self, place: str, missing: list[Case], outcome: Outcome, *, again: bool = False) -> None:
        """Measure those of the missing cases for which there is time. again: say nothing if there is none."""
        stage, rounds, left = outcome.stage, self._asked.options.rounds, self._left()
        pace = min(max(self._taken / self._estimated, _PACE[0]), _PACE[1]) if self._estimated else 1.0
        seconds = [pace * one for one in stage.seconds(missing, self._known, rounds)]
        needed = sum(seconds)
        if stage.shortens and rounds is None and needed > left:
            rounds = SHORT
            seconds = [pace * one for one in stage.seconds(missing, self._known, rounds)]
        count = fitting(seconds, left)
        cases, seconds = missing[:count], seconds[:count]
        late = f"needs {about(needed)}; {about(max(left, 0.0)).removeprefix('about ')} were left"
        outcome.late.update(dict.fromkeys(missing[count:], late))
        if not cases:
            if not again:
                self._say(f"{place}: left out: {late}")
            return
        shorter = [f"{count} of {len(missing)} cases"] if count < len(missing) else []
        shorter += [f"{rounds} rounds each"] if rounds != self._asked.options.rounds else []
        short = f", shortened to {' and '.join(shorter)}" if shorter else f", {counted(count, 'case')}"
        self._say(f"{place}{short}: {about(sum(seconds))}")
        began, cases_before = time.monotonic(), len(outcome.late)
        try:
            if stage.epochs:
                self._train(stage, cases, outcome)
            else:
                self._time(stage, cases, rounds, outcome)
        finally:
            self._progress("")
            self._directory.collect(stage)
        self._directory.learn(self._known)
        if len(outcome.late) == cases_before and not outcome.failed:  # the last stage counts most: a busy machine may become quiet
            self._taken = self._taken / 2 + time.monotonic() - began
            self._estimated = self._estimated / 2 + sum(seconds) / pace

    def _train(self, stage: Stage, cases: Sequence[Case], outcome: Outcome) -> None:
        """Train each case in a process of its own: what crashes costs one curve."""
        for case in cases:
            command = ["-m", "bench", "train", "--trainers", case.trainer, "--workload", case.workload.name, "--epochs", str(stage.epochs)]
            self._progress(f"  {case.title}: starting")
            ended = child.run(
                [*command, *self._shared(stage)], seconds=self._seconds(), line=lambda line: self._progress(f"  {plain(line)}")
            )
            if ended.stopped:
                outcome.late.update(dict.fromkeys(cases[cases.index(case) :], "the time was up"))
                return
            if ended.code:
                failed = [line for line in ended.tail if "FAILED" in line or line.startswith("epochbench:")]
                outcome.failed[case] = _why(ended, failed)
            self._say(f"  {case.title:<{_widest(cases)}}  {'FAILED: ' + outcome.failed[case] if ended.code else f'{stage.epochs} epochs'}")

    def _time(self, stage: Stage, cases: Sequence[Case], rounds: int | None, outcome: Outcome) -> None:
        """Time the cases in one process; in another one, those that a crash has left."""
        waiting = {case.key: case for case in cases}
        begun: list[Case] = []

        def line(text: str) -> None:
            if not (told := event(text)):
                return
            if "begins" in told:
                begun.append(waiting.pop(tuple(told["begins"])))
                self._progress(f"  {begun[-1].title} ({len(cases) - len(waiting)} of {len(cases)})")
            elif "ends" in told:
                case = begun.pop()
                where = {"skipped": outcome.skipped, "failed": outcome.failed}.get(told["outcome"])
                if where is not None:
                    where[case] = told["text"]
                ended = told["text"] if where is None else f"{'FAILED' if where is outcome.failed else 'skipped'}: {told['text']}"
                self._say(f"  {case.title:<{_widest(cases)}}  {plain(ended)}")
            else:
                outcome.warnings.update(dict.fromkeys(told.get("warnings", [])))

        while waiting:
            before = len(waiting)
            ended = child.run(self._command(stage, list(waiting.values()), rounds), seconds=self._seconds(), line=line)
            if ended.stopped:
                outcome.late.update(dict.fromkeys([*begun, *waiting.values()], "the time was up"))
                return
            for case in begun:  # and has not ended
                outcome.failed[case] = _why(ended, [])
                self._say(f"  {case.title:<{_widest(cases)}}  FAILED: {plain(outcome.failed[case])}")
            begun.clear()
            if len(waiting) == before:
                outcome.failed.update(dict.fromkeys(waiting.values(), _why(ended, [])))
                self._say(f"  FAILED: {plain(_why(ended, []))}")
                return

    def _command(self, stage: Stage, cases: Sequence[Case], rounds: int | None) -> list[str]:
        """Return the command that times the cases, in their order."""
        place = Path(bench.__file__).parent
        named = list(dict.fromkeys(case.workload for case in cases))
        if all(workload.name in WORKLOADS for workload in named):
            job = ["--workload", ",".join(workload.name for workload in named)]
        else:
            sizes = sorted({workload.batch_size for workload in named}), sorted({workload.hidden[0] for workload in named})
            job = [
                word
                for option, each in zip(("--batch-size", "--hidden"), sizes, strict=True)
                for word in (option, ",".join(map(str, each)))
            ]
        trainers = ",".join(dict.fromkeys(case.trainer for case in cases))
        selected = [f"{place / 'test_epoch.py'}::test_epoch[{case.workload.name}-{case.trainer}]" for case in cases]
        options = ["-p", "bench.contribute.case_log", "-p", "no:cacheprovider", "--benchmark-only", *job, "--trainers", trainers]
        return ["-m", "pytest", *selected, *options, *(["--rounds", str(rounds)] if rounds else []), *self._shared(stage)]

    def _shared(self, stage: Stage) -> list[str]:
        """Return the options of every command."""
        options = self._asked.options
        given = {"--threads": options.threads, "--examples": options.workloads[0].examples, "--patience": options.patience}
        numbers = [word for name, number in given.items() if number for word in (name, str(number))]
        return [*numbers, "--machine", self._machine.machine, "--no-charts", "--results", str(self._directory.working(stage))]

    def _seconds(self) -> float:
        """Return how long a process may run; the charts may then come after the time is up."""
        return max(self._deadline - time.monotonic(), 0.0)

    def close(self) -> int:
        """Check, draw, write the summary, say what comes next, and return the exit code."""
        if not self._directory.files:
            self._say("")
            for outcome in self._outcomes:
                for case, reason in {**outcome.failed, **outcome.skipped}.items():
                    self._say(f"{case.title}: {reason}")
            enough = self._enough()
            self._say(
                f"Nothing was measured.{f' The first case takes {about(enough)}: give --minutes {-(-enough // 60):.0f}' if enough else ''}"
            )
            return 3
        complaints, charts = self.conclude(charts=self._asked.options.charts)
        failed = [case for outcome in self._outcomes for case in outcome.failed]
        path = self._directory.path
        self._say("")
        for name in [
            *(file.name for file in self._directory.files),
            *([counted(len(charts) // 2, "chart")] if charts else []),
            summary.NAME,
        ]:
            self._say(f"{path / name}" if "." in name else f"{name}, as PNG and SVG")
        late = [outcome for outcome in self._outcomes if outcome.late]
        if late:
            self._say("\nLeft out:")
            for outcome in late:
                for reason, cases in summary.by_reason(outcome.late).items():
                    self._say(f"  {outcome.stage.name}: {counted(len(cases), 'case')}: {reason}")
            self._say(f"To measure them too: {self._asked.again}")
        if complaints:
            self._say("\nNot ready to be attached:")
            for complaint in complaints:
                self._say(f"  {plain(complaint)}")
            return 1
        self._say(
            "\nThe files are whole, plausible and free of personal data. To contribute them, attach a zip of the directory to an issue:"
        )
        self._say(f"  python -m zipfile -c {path.name}.zip {path}")
        if self._asked.pulls:
            self._say("or open a pull request with it:")
            self._say(f"  git switch -c {path.name} && git add {path} && git commit -m 'results: add {path.name}'")
        return 1 if failed else 0

    def _enough(self) -> float:
        """Return the seconds that the first case needs; 0 if it was not the time that was missing."""
        if not any(outcome.late for outcome in self._outcomes):
            return 0.0
        stage = self._plan[0]
        return stage.seconds(stage.cases(self._known)[:1], self._known, self._asked.options.rounds)[0] + 2 * _CLOSING

    def conclude(self, *, charts: bool) -> tuple[list[str], list[Path]]:
        """Write the summary, and draw the charts if they are wanted. Return the complaints of the checks, and the charts."""
        from bench.analysis.validate import check

        csvs = self._directory.files
        if not csvs:
            return [], []
        complaints = [complaint for file in csvs for complaint in check(file)]
        drawn: list[Path] = []
        warnings = dict.fromkeys(warning for outcome in self._outcomes for warning in outcome.warnings)
        if charts:
            from bench import plot

            for file in csvs:
                self._progress(f"drawing the charts of {file.name}")
                try:
                    drawn += plot.charts([file])
                except (InputError, OSError) as error:
                    warnings[f"no charts of {file.name}: {error}"] = None
            self._progress("")
        for warning in warnings:
            self._say(f"warning: {plain(warning)}")
        disturbed = {file: noise.format_lines(noise.detect(records.read([file])), with_run=False) for file in csvs}
        for file, lines in disturbed.items():
            for line in lines:
                self._say(f"warning: {file.name}: {plain(line)}")
        if any(disturbed.values()):
            self._say(summary.AGAIN)
        text = summary.text(
            self._directory.path,
            csvs,
            command=self._asked.command,
            absent=self._absent,
            reasons={
                outcome.stage.name: {
                    kind: {case.title: reason for case, reason in noted.items()}
                    for kind, noted in (("skipped", outcome.skipped), ("failed", outcome.failed), ("", outcome.late))
                }
                for outcome in self._outcomes
            },
            warnings=list(warnings),
            complaints=complaints,
        )
        files.atomic_write(self._directory.path / summary.NAME, text)
        return complaints, drawn


def about(seconds: float) -> str:
    """Return a time as an estimate: about 40 s, about 3 min."""
    if seconds < 95:
        step = 5 if seconds >= 10 else 1
        return f"about {max(round(seconds / step) * step, 0)} s"
    if seconds < 600:
        return f"about {seconds / 60:.1f}".removesuffix(".0") + " min"
    return f"about {seconds / 60:.0f} min" if seconds < 7200 else f"about {seconds / 3600:.0f} h"


def _widest(cases: Sequence[Case]) -> int:
    return max(len(case.title) for case in cases)


def _why(ended: child.Ended, lines: Sequence[str]) -> str:
    """Return why a process failed: one of its lines, or how it ended."""
    how = signal.Signals(-ended.code).name if ended.code < 0 else f"exit code {ended.code}"
    said = lines or [line for line in ended.tail if not event(line)]
    return f"its process ended with {how}" + (f": {said[-1]}" if said else "")
