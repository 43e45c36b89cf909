"""What a search found, as text, Markdown, JSON and a chart."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.bisect.search import Culprit, Findings
from bench.paired.pair_log import PairLog
from bench.paired.revisions import Commit
from bench.stats.intervals import Interval
from bench.stats.levels import levels
from bench.text.numbers import counted, plain, precise_ratio
from bench.text.tables import Table

_SHOWN = 0.01  # probability of a commit that the table shows
_LINES = 30  # of the table


@dataclass
class Answer:
    """A search for the commits that made a trainer slower.

    commits     those that change the trainer's code, after the good one
    of          a note: of which commits these are
    log         of the pairs
    what        what the commits are called; releases of a package stand for commits, too
    inside      searches in the branches of merges that made it slower, by the number of the merge
    broken_off  the signal or the failure that ended the search early, if any
    """

    trainer: str
    commits: Sequence[Commit]
    of: str
    margin: float
    found: Findings
    log: PairLog
    what: str = "commit"
    inside: dict[int, Answer] = field(default_factory=dict)
    broken_off: BaseException | None = None

    @property
    def complete(self) -> bool:
        """Whether the search ended by itself: it has found all culprits, or the last commit is not slower."""
        decided = self.found.rest or self.found.whole
        last = bool(self.found.culprits) and self.found.culprits[-1].commits[-1] == len(self.commits) - 1
        return not self.broken_off and (last or (decided is not None and decided[0] in ("not slower", "faster")))

    def ratios(self) -> dict[int, Interval]:
        """Return the ratio of each measured commit to the good one, with its interval."""
        known = {commit: logs for commit, logs in self.found.ratios.items() if logs}
        return {0: Interval(1.0, 1.0, 1.0)} | {
            commit: Interval(*(math.exp(end) for end in level)) for commit, level in sorted(levels(known).items())
        }

    def probabilities(self) -> dict[int, float]:
        """Return the probability of each commit to be the next culprit, if the search ended before it was sure."""
        return self.found.left.probabilities() if self.found.left else {}

    def sentences(self) -> Iterator[str]:
        """Yield the answer in words, the culprits first."""
        for culprit in self.found.culprits:
            *unknown, last = culprit.commits
            time = f"made {self.trainer} slower: {precise_ratio(culprit.ratio)} the time of {self.commits[culprit.before].short}"
            if unknown:
                yield f"one of {counted(len(culprit.commits), self.what)} up to {self.commits[last]} {time}; the others cannot be measured"
            else:
                yield f"{self.commits[last]} {time}"
            if inside := self.inside.get(culprit.commits[-1]):
                yield from (f"in the merged branch: {sentence}" for sentence in inside.sentences())
        newest, base = self.commits[-1].short, self.commits[self.found.culprits[-1].commits[-1] if self.found.culprits else 0].short
        if decided := self.found.rest or (None if self.found.culprits else self.found.whole):
            decision, ratio = decided
            if decision == "undecided":
                yield f"undecided whether {newest} is slower than {base} ({precise_ratio(ratio)}); raise --seconds"
            elif decision != "slower":
                yield f"{newest} is not slower than {base} by {self.margin:.1%}: {precise_ratio(ratio)}"
        if probabilities := self.probabilities():
            likely = sum(probability >= _SHOWN for probability in probabilities.values())
            yield f"the time is up; {counted(likely, self.what)} may have made {self.trainer} slower; raise --seconds"

    def text(self) -> str:
        """Return the answer as text for a terminal."""
        first = [plain(sentence) for sentence in self.sentences()]
        return "\n".join([*first, "", self._table().text(), *([str(self.log.csv)] if self.log.csv else [])])

    def markdown(self) -> str:
        """Return the answer as Markdown."""
        return "\n\n".join([*(plain(sentence) for sentence in self.sentences()), self._table().markdown()]) + "\n"

    def json(self) -> str:
        """Return the answer as one JSON object; an unknown end of an interval is null."""
        return json.dumps(self._plain(), allow_nan=False)

    def _plain(self) -> dict[str, object]:
        probabilities, ratios = self.probabilities(), self.ratios()
        return {
            "trainer": self.trainer,
            "margin": self.margin,
            "complete": self.complete,
            "culprits": [self._culprit(culprit) for culprit in self.found.culprits],
            "commits": [
                {
                    "commit": commit.hash,
                    "subject": commit.subject,
                    "ratio": ratios[number].json() if number in ratios else None,
                    "pairs": len(self.found.ratios.get(number, [])),
                    "probability": probabilities.get(number),
                    "skipped": self.found.skipped.get(number),
                }
                for number, commit in enumerate(self.commits)
            ],
        }

    def _culprit(self, culprit: Culprit) -> dict[str, object]:
        inside = self.inside.get(culprit.commits[-1])
        return {
            "commits": [self.commits[commit].hash for commit in culprit.commits],
            "before": self.commits[culprit.before].hash,
            **culprit.ratio.json(),
            "inside": inside and inside._plain(),
        }

    def _table(self) -> Table:
        ratios, probabilities = self.ratios(), self.probabilities()
        culprits = (commit for culprit in self.found.culprits for commit in culprit.commits)
        shown = {*ratios, *culprits, *self.found.skipped, *(number for number, p in probabilities.items() if p >= _SHOWN)}
        rows = []
        for number in sorted(shown)[:_LINES]:
            commit, measured = self.commits[number], number in ratios and number
            pairs = len(self.found.ratios.get(number, []))
            rows.append(
                (commit.short, commit.subject[:50], precise_ratio(ratios[number]) if measured else "-", str(pairs), self._word(number))
            )
        duel, notes = self.log.duel, [self.of] if self.of else []
        notes += [f"measured on {duel.title}, {counted(duel.threads, 'thread')}"] if duel else []
        notes += [f"skipped {self.commits[number].short}: {reason}" for number, reason in self.found.skipped.items()]
        notes += [f"{len(shown) - _LINES} more commits are in the JSON"] if len(shown) > _LINES else []
        notes += [self.log.unwritten] if self.log.unwritten else []
        headings = [self.what, "subject", f"time over {self.commits[0].short} (95 %)", "pairs", "verdict"]
        return Table("", headings, rows, [plain(note) for note in notes])

    def _word(self, number: int) -> str:
        """Return what the search says about a commit: the probability to be the next culprit, if it is not sure."""
        culprit = any(number in culprit.commits for culprit in self.found.culprits)
        if number in self.found.skipped:
            return "skipped, perhaps the culprit" if culprit else "skipped"
        if culprit:
            return "culprit"
        probability = self.probabilities().get(number, 0.0)
        return f"{probability:.0%}" if probability >= _SHOWN else "" if number else "good"
