"""Child processes of a stage: `pytest bench` for timed epochs, `python -m bench train` for learning curves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import bench
from bench.contribute.campaign import Campaign, StageOutcome
from bench.contribute.stages import Stage
from bench.measure.case import Case
from bench.system import child_events
from bench.system.child import describe_exit
from bench.system.child_events import parse_event
from bench.system.line_runner import Ended
from bench.system.progress import progress
from bench.text.numbers import plain
from bench.workload import WORKLOADS

LOG = logging.getLogger(__name__)

_TIME_IS_UP = "the time ran out"


class StageRunner:
    """Runs the cases of a stage, records why a case has no rows, and collects the rows of the others in the directory."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign

    def run(self, cases: Sequence[Case], rounds: int | None, outcome: StageOutcome) -> None:
        """Measure the cases until the time runs out. Keep the rows of finished cases, also after an error."""
        try:
            if outcome.stage.epochs:
                self._train(cases, outcome)
            else:
                self._time(cases, rounds, outcome)
        finally:
            self._campaign.directory.collect(outcome.stage)

    def _train(self, cases: Sequence[Case], outcome: StageOutcome) -> None:
        """Train each case in its own process, so that a crash costs one curve only."""
        stage = outcome.stage
        for position, case in enumerate(cases):
            command = ["-m", "bench", "train", "--trainers", case.trainer, "--workload", case.workload.name, "--epochs", str(stage.epochs)]
            progress(f"  {case.title}: starting")
            ended = self._run([*command, *self._options(stage)], lambda line: progress(f"  {plain(line)}"))
            if ended.stopped:
                outcome.left_out.update(dict.fromkeys(cases[position:], _TIME_IS_UP))
                return
            if ended.code:
                failures = [line for line in ended.tail if "FAILED" in line or line.startswith("epochbench:")]
                outcome.failed[case] = _reason(ended, failures or ended.tail)
            _log(case, cases, f"FAILED: {outcome.failed[case]}" if ended.code else f"{stage.epochs} epochs")

    def _time(self, cases: Sequence[Case], rounds: int | None, outcome: StageOutcome) -> None:
        """Time the cases in one process. After a crash, time the remaining cases in another one."""
        waiting = {case.key: case for case in cases}
        running: list[Case] = []

        def listen(line: str) -> None:
            event = parse_event(line) or {}
            if "begins" in event:
                running.append(waiting.pop(tuple(event["begins"])))
                progress(f"  {running[-1].title} ({len(cases) - len(waiting)} of {len(cases)})")
            elif "ends" in event:
                case, ending, text = running.pop(), event["outcome"], event["text"]
                if ending == "skipped":
                    outcome.skipped[case] = text
                elif ending == "failed":
                    outcome.failed[case] = text
                _log(case, cases, {"skipped": "skipped: ", "failed": "FAILED: "}.get(ending, "") + text)
            outcome.warnings.update(dict.fromkeys(event.get("warnings", [])))

        while waiting:
            before = len(waiting)
            ended = self._run(self._pytest(outcome.stage, list(waiting.values()), rounds), listen)
            if ended.stopped:
                outcome.left_out.update(dict.fromkeys([*running, *waiting.values()], _TIME_IS_UP))
                return
            reason = _reason(ended, [line for line in ended.tail if not parse_event(line)])
            for case in running:  # the process crashed during this case
                outcome.failed[case] = reason
                _log(case, cases, f"FAILED: {reason}")
            running.clear()
            if len(waiting) == before:
                outcome.failed.update(dict.fromkeys(waiting.values(), reason))
                LOG.info(f"  FAILED: {plain(reason)}")
                return

    def _run(self, command: Sequence[str], line: Callable[[str], None]) -> Ended:
        """Run a command until the time runs out. The charts may then be finished after the time budget."""
        return child_events.run(command, seconds=max(self._campaign.countdown.left(), 0.0), line=line)

    def _pytest(self, stage: Stage, cases: Sequence[Case], rounds: int | None) -> list[str]:
        """Return the command that times the cases, in order."""
        workloads = list(dict.fromkeys(case.workload for case in cases))
        if all(workload.name in WORKLOADS for workload in workloads):
            job = ["--workload", ",".join(workload.name for workload in workloads)]
        else:
            job = ["--batch-size", _listed(workload.batch_size for workload in workloads)]
            job += ["--hidden", _listed(workload.hidden[0] for workload in workloads)]
        test = f"{Path(bench.__file__).with_name('test_epoch.py')}::test_epoch"
        selected = [f"{test}[{case}]" for case in cases]
        trainers = ["--trainers", ",".join(dict.fromkeys(case.trainer for case in cases))]
        options = ["-p", "bench.measure.case_log", "-p", "no:cacheprovider", "--benchmark-only", *job, *trainers]
        more = [*(["--rounds", str(rounds)] if rounds else []), *(["--anatomy"] if stage.anatomy else [])]
        return ["-m", "pytest", *selected, *options, *more, *self._options(stage)]

    def _options(self, stage: Stage) -> list[str]:
        """Return the options that every command gets."""
        request = self._campaign.request
        numbers = {"--threads": request.options.threads, "--examples": request.examples, "--patience": request.options.patience}
        given = [word for name, number in numbers.items() if number for word in (name, str(number))]
        working = str(self._campaign.directory.working(stage))
        return [*given, "--machine", self._campaign.machine.machine, "--no-charts", "--results", working]


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(set(numbers))))


def _log(case: Case, cases: Sequence[Case], text: str) -> None:
    widest = max(len(other.title) for other in cases)
    LOG.info(f"  {case.title:<{widest}}  {plain(text)}")


def _reason(ended: Ended, lines: Sequence[str]) -> str:
    """Return why a process failed: how it ended, and the last of the lines."""
    return f"its process {describe_exit(ended.code)}" + (f": {lines[-1]}" if lines else "")
