"""State of a contribution: the request, the machine, the directory, the plan, the time, and the outcomes of the stages."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.contribute.directory import Directory
from bench.contribute.estimator import Estimator
from bench.contribute.stages import Stage
from bench.machine.identity import Machine
from bench.measure.case import Case
from bench.options import Options

Key = TypeVar("Key")


@dataclass(frozen=True)
class Request:
    """The user's request, and the code under test.

    options         parsed options; their directory is the parent of the contribution's directory
    minutes         time budget of the command
    command         command of the user, without the directory
    resume_command  command that resumes the contribution
    commit          of the checkout; empty if there is none
    dirty           whether the code has changed since the commit
    in_checkout     whether the directory is in a checkout, so that a pull request can add it
    """

    options: Options
    minutes: float
    command: str
    resume_command: str
    commit: str
    dirty: bool
    in_checkout: bool

    @property
    def examples(self) -> int | None:
        """The number of training examples per epoch; None: all."""
        return self.options.workloads[0].examples


class Countdown:
    """Countdown of the time budget."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the remaining seconds, negative when the budget is used up."""
        return self._end - time.monotonic()


@dataclass
class StageOutcome:
    """The cases of a stage that have no rows, each with the reason, and the warnings.

    skipped   the trainer does not support the workload
    failed    the trainer failed
    left_out  the time was too short
    warnings  of the stage's processes, in order
    """

    stage: Stage
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)
    left_out: dict[Case, str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """The data that the parts of a contribution share.

    absent    trainers that cannot run here, with the reasons
    outcomes  of the stages that have started
    """

    request: Request
    machine: Machine
    directory: Directory
    plan: Sequence[Stage]
    estimator: Estimator
    absent: Mapping[str, str]
    countdown: Countdown
    outcomes: list[StageOutcome] = field(default_factory=list)

    def cases(self, stage: Stage) -> tuple[list[Case], list[Case]]:
        """Return all cases of a stage, and its cases without rows."""
        measured, cases = self.directory.measured(stage), stage.cases(self.estimator)
        return cases, [case for case in cases if case.key not in measured]

    def learn(self) -> None:
        """Update the estimator with the measured epochs."""
        self.estimator.seconds.update(self.directory.medians())


def by_reason(reasons: Mapping[Key, str]) -> dict[str, list[Key]]:
    """Return the keys grouped by reason."""
    keys: dict[str, list[Key]] = {}
    for key, reason in reasons.items():
        keys.setdefault(reason, []).append(key)
    return keys
