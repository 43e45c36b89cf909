"""The speed of a trainer at each commit, and where it changes, as text, Markdown, JSON and a chart."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.paired.pair_log import PairLog
from bench.paired.revisions import Commit
from bench.stats.change_points import change_points
from bench.stats.intervals import Interval
from bench.stats.levels import levels, median_error, spread
from bench.text.numbers import counted, plain, precise_ratio
from bench.text.tables import Table


class Change(NamedTuple):
    """A change of the level: the number of its first commit, and the ratio of the time from it on to that before."""

    commit: int
    ratio: Interval


@dataclass
class Answer:
    """The commits of a range, each paired with the first.

    ratios      log ratios of each commit's pairs over commit 0, by the number of the commit
    skipped     commits that could not be measured, with the reason
    log         of the new pairs; None: nothing is measured
    broken_off  the signal or the failure that ended the measurement early, if any
    """

    trainer: str
    commits: Sequence[Commit]
    ratios: dict[int, list[float]] = field(default_factory=dict)
    skipped: dict[int, str] = field(default_factory=dict)
    log: PairLog | None = None
    broken_off: BaseException | None = None

    def intervals(self) -> dict[int, Interval]:
        """Return the ratio of each measured commit to the base, with its interval."""
        measured = {at: logs for at, logs in sorted(self.ratios.items()) if logs}
        return {0: Interval(1.0, 1.0, 1.0)} | {at: _exp(level) for at, level in levels(measured).items()}

    def changes(self) -> list[Change]:
        """Return the changes of the level that do not come by chance, oldest first."""
        measured = {at: logs for at, logs in sorted(self.ratios.items()) if logs}
        numbers, deviation = list(measured), spread(measured.values())
        errors = [median_error(logs, deviation)[1] for logs in measured.values()]
        medians = [[float(np.median(logs))] for logs in measured.values()]
        starts = change_points(medians, spread=float(np.median(errors))) if medians else []
        found = []
        for number, start in enumerate(starts):
            before = [log for at in numbers[([0, *starts])[number] : start] for log in measured[at]]
            now = [log for at in numbers[start : ([*starts, None])[number + 1]] for log in measured[at]]
            (one, one_error), (other, other_error) = median_error(before, deviation), median_error(now, deviation)
            half = 2 * math.hypot(one_error, other_error)
            found.append(Change(numbers[start], _exp(Interval(other - one, other - one - half, other - one + half))))
        return found

    def text(self) -> str:
        """Return the answer as text for a terminal."""
        return "\n".join(
            [*map(plain, self._sentences()), "", self._table().text(), *([str(self.log.csv)] if self.log and self.log.csv else [])]
        )

    def markdown(self) -> str:
        """Return the answer as Markdown."""
        return "\n\n".join([*map(plain, self._sentences()), self._table().markdown()]) + "\n"

    def json(self) -> str:
        """Return the answer as one JSON object; an unknown end of an interval is null."""
        ratios = self.intervals()
        changes = {change.commit: change.ratio for change in self.changes()}
        commits = [
            {
                "commit": commit.hash,
                "date": commit.date,
                "subject": commit.subject,
                "ratio": ratios[at].json() if at in ratios else None,
                "pairs": len(self.ratios.get(at, [])),
                "change": changes[at].json() if at in changes else None,
                "skipped": self.skipped.get(at),
            }
            for at, commit in enumerate(self.commits)
        ]
        return json.dumps({"trainer": self.trainer, "base": self.commits[0].hash, "commits": commits}, allow_nan=False)

    def _sentences(self) -> list[str]:
        changes = self.changes()
        if not changes:
            return [f"{self.trainer}: no change of speed in {counted(len(self.commits) - 1, 'commit')}"]
        return [f"{self.commits[change.commit]} made {self.trainer} {_word(change)}" for change in changes]

    def _table(self) -> Table:
        ratios, changes = self.intervals(), {change.commit: change for change in self.changes()}
        rows = []
        for at, commit in enumerate(self.commits):
            ratio = precise_ratio(ratios[at]) if at in ratios and at else "skipped" if at in self.skipped else "base" if not at else "-"
            change = _word(changes[at]) if at in changes else ""
            rows.append((commit.date, commit.short, commit.subject[:50], ratio, str(len(self.ratios.get(at, []))), change))
        duel, unwritten = (self.log.duel, self.log.unwritten) if self.log else (None, "")
        notes = [f"measured on {duel.title}, {counted(duel.threads, 'thread')}"] if duel else []
        notes += [f"skipped {self.commits[at].short}: {reason}" for at, reason in self.skipped.items()]
        notes += [unwritten] if unwritten else []
        headings = ["date", "commit", "", f"time over {self.commits[0].short} (95 %)", "pairs", "change"]
        return Table("", headings, rows, [plain(note) for note in notes])


def _exp(log: Interval) -> Interval:
    return Interval(*map(math.exp, log))


def _word(change: Change) -> str:
    return f"{'slower' if change.ratio.value > 1 else 'faster'}: {precise_ratio(change.ratio)} the time"
