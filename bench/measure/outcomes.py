"""Outcomes of the cases of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.measure.case import Case


@dataclass
class Outcomes:
    """Outcomes of the cases of a run.

    reached   last step of each case that has started
    finished  cases that have ended, with or without rows
    skipped   reason why a case has no row: the trainer cannot run here, or does not support the workload
    failed    reason why a case has no row: the trainer broke its contract, hung or raised
    """

    reached: dict[Case, str] = field(default_factory=dict)
    finished: set[Case] = field(default_factory=set)
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)

    def unfinished(self, cases: Iterable[Case]) -> dict[Case, str]:
        """Return the cases that have not ended, each with the last step that it reached."""
        return {
            case: f"stopped ({self.reached[case]})" if case in self.reached else "not reached"
            for case in cases
            if case not in self.finished
        }
