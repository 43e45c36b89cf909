"""Schedule of a contribution: runs the stages that fit into the time budget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bench.contribute.campaign import Campaign, StageOutcome
from bench.contribute.stage_runner import StageRunner
from bench.contribute.stages import Stage
from bench.measure.case import Case
from bench.stats.intervals import FEWEST
from bench.text.numbers import about, counted

LOG = logging.getLogger(__name__)

CLOSING = 15.0  # seconds reserved for the checks, the charts and the summary
_PACE = (0.5, 4.0)  # bounds of the factor by which earlier stages correct an estimate


class _Share(NamedTuple):
    """The cases of a stage that fit into the time.

    rounds   per case; None: the command chooses
    seconds  estimate
    reason   why the other cases do not fit
    """

    cases: Sequence[Case]
    rounds: int | None
    seconds: float
    reason: str


class Schedule:
    """Runs the stages of a campaign in order."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign, self._runner = campaign, StageRunner(campaign)
        self._estimated = self._taken = 0.0  # seconds of the stages so far

    def run(self) -> None:
        """Measure the stages. Then measure the left out cases that fit into the remaining time."""
        plan = self._campaign.plan
        for number, stage in enumerate(plan, start=1):
            cases, missing = self._campaign.cases(stage)
            heading = f"\n[{number}/{len(plan)}] {stage.name}"
            if missing:
                self._campaign.outcomes.append(outcome := StageOutcome(stage))
                self._measure(heading, missing, outcome)
            elif cases:
                LOG.info(f"{heading}: already measured, {counted(len(cases), 'case')} in {stage.file}")
        outcomes, count = self._campaign.outcomes, -1
        while count != (count := sum(len(outcome.left_out) for outcome in outcomes)):
            for outcome in outcomes:
                if outcome.left_out:
                    self._measure_again(outcome)

    def _measure_again(self, outcome: StageOutcome) -> None:
        before = dict(outcome.left_out)
        outcome.left_out.clear()
        self._measure(f"\n{outcome.stage.name} again", list(before), outcome, silent=True)
        if outcome.left_out.keys() == before.keys():
            outcome.left_out.update(before)  # keep the first reason

    def _measure(self, heading: str, missing: Sequence[Case], outcome: StageOutcome, *, silent: bool = False) -> None:
        """Measure the missing cases that fit into the time. silent: print nothing if none fits."""
        countdown, pace = self._campaign.countdown, self._pace()
        share = self._share(outcome.stage, missing, pace)
        outcome.left_out.update(dict.fromkeys(missing[len(share.cases) :], share.reason))
        if not share.cases:
            if not silent:
                LOG.info(f"{heading}: not enough time: {share.reason}")
            return
        shorter = [f"{len(share.cases)} of {len(missing)} cases"] if len(share.cases) < len(missing) else []
        shorter += [f"{share.rounds} rounds each"] if share.rounds != self._campaign.request.options.rounds else []
        how = f"shortened to {' and '.join(shorter)}" if shorter else counted(len(missing), "case")
        LOG.info(f"{heading}, {how}: {about(share.seconds)}")
        left, before = countdown.left(), len(outcome.left_out)
        self._runner.run(share.cases, share.rounds, outcome)
        self._campaign.learn()
        if len(outcome.left_out) == before and not outcome.failed:
            # The latest stage counts most, because a busy machine may become quiet.
            self._taken = self._taken / 2 + left - countdown.left()
            self._estimated = self._estimated / 2 + share.seconds / pace

    def _pace(self) -> float:
        """Return the expected ratio of the actual to the estimated time of a stage."""
        return min(max(self._taken / self._estimated, _PACE[0]), _PACE[1]) if self._estimated else 1.0

    def _share(self, stage: Stage, missing: Sequence[Case], pace: float) -> _Share:
        left, rounds = self._campaign.countdown.left() - CLOSING, self._campaign.request.options.rounds

        def estimates() -> list[float]:
            return [pace * seconds for seconds in stage.seconds(missing, self._campaign.estimator, rounds)]

        seconds = estimates()
        if stage.shortens and rounds is None and sum(seconds) > left:
            rounds = FEWEST
            seconds = estimates()
        fitting = int(np.searchsorted(np.cumsum(seconds), left, side="right"))
        planned, needed = sum(seconds[:fitting]), sum(seconds[fitting:])
        reason = f"needs {about(needed)}, but only {about(max(left - planned, 0.0)).removeprefix('about ')} remained"
        return _Share(missing[:fitting], rounds, planned, reason)
