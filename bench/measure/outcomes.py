"""What became of each case of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bench.measure.case import Case


@dataclass
class Outcomes:
    """What became of each case.

    reached   the last step of each case that was begun
    finished  the cases that ended, with rows or without
    skipped   why a case gave no row: the trainer cannot run here, or was not made for the workload
    failed    why a case gave no row: the trainer broke its contract, hung or raised
    """

    reached: dict[Case, str] = field(default_factory=dict)
    finished: set[Case] = field(default_factory=set)
    skipped: dict[Case, str] = field(default_factory=dict)
    failed: dict[Case, str] = field(default_factory=dict)

    def unfinished(self, cases: Iterable[Case]) -> dict[Case, str]:
        """Return those of the cases that have not ended, and how far each came."""
        return {
            case: f"stopped ({self.reached[case]})" if case in self.reached else "not reached"
            for case in cases
            if case not in self.finished
        }
