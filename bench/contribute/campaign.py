"""A contribution under way: the user's request, the machine, the directory, the plan, the time, and what became of the stages."""

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
    """What the user asked for, and the code that is measured.

    options         as parsed; its directory is the parent of the contribution's
    minutes         after which the command ends
    command         that the user called, without the directory
    resume_command  that goes on with the contribution
    commit          of the checkout; empty without one
    dirty           whether the code was changed since then
    in_checkout     whether the directory is in a checkout, from which it can go into a pull request
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
        """The training examples of an epoch, if not all."""
        return self.options.workloads[0].examples


class Countdown:
    """The time that is left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Return the seconds that are left, below 0 when the time is up."""
        return self._end - time.monotonic()


@dataclass
class StageOutcome:
    """What became of a stage's cases that have no rows.

    skipped   the trainer was not made for the workload, and the reason
    failed    the trainer failed, and why
    left_out  the time was too short, and by how much
    warnings  of the stage's processes, in their order
    """

    stage: Stage
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)
    left_out: dict[Case, str] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """What the parts of a contribution share.

    absent    trainers that cannot run here, and the reasons
    outcomes  of the stages that were begun
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
        """Return all cases of a stage, and those without rows."""
        measured, cases = self.directory.measured(stage), stage.cases(self.estimator)
        return cases, [case for case in cases if case.key not in measured]

    def learn(self) -> None:
        """Let the estimator know the measured epochs."""
        self.estimator.seconds.update(self.directory.medians())


def by_reason(reasons: Mapping[Key, str]) -> dict[str, list[Key]]:
    """Return for each reason the keys that have it."""
    keys: dict[str, list[Key]] = {}
    for key, reason in reasons.items():
        keys.setdefault(reason, []).append(key)
    return keys
