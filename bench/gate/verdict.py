"""The gate's report: a verdict for each trainer, as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bench.gate.growth import Growth
from bench.machine.identity import slug
from bench.paired.duel import Duel
from bench.paired.pair import Pair
from bench.paired.rule import Decision, Stages
from bench.stats.intervals import Interval
from bench.text.numbers import counted, plain, precise_ratio
from bench.text.tables import Table

# broken          the working tree crashes or computes a wrong result
# not comparable  the base crashes or computes a wrong result
# unchanged       both have the same code, so nothing was measured
# absent          neither supports this machine
# not reached     the gate ended before a decision
# slower to start  the constructor or a `load` takes longer
Word = Decision | Literal["slower to start", "broken", "not comparable", "unchanged", "absent", "not reached"]

WITHOUT_DECISION = ("undecided", "not comparable", "not reached")


@dataclass(frozen=True)
class Verdict:
    """The verdict on one trainer, on one workload with a number of threads.

    ratio       the working tree's epoch time over the base's, from the pairs in `stages`, if the verdict is based on one
    broken_off  the signal or error that ended the gate during this trainer, if any
    start       the same for the time to start: of the constructor and a `load`
    why         what became slower, if the verdict is *slower* and this could be measured
    """

    trainer: str
    word: Word
    workload: str = ""
    threads: int = 1
    ratio: Interval | None = None
    stages: Stages = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    duel: Duel | None = None
    broken_off: BaseException | None = None
    start: Interval | None = None
    why: Growth | None = None

    @property
    def title(self) -> str:
        """The trainer, the workload and the number of threads."""
        return f"{self.trainer} on {self.workload}, {counted(self.threads, 'thread')}" if self.workload else self.trainer

    @property
    def judged(self) -> list[Pair]:
        """The pairs that the ratio is based on."""
        return list(self.stages.values())[-1] if self.stages else []

    @property
    def won(self) -> int:
        """The number of these pairs in which the working tree was faster."""
        return sum(pair.log_ratio < 0 for pair in self.judged)

    @property
    def pairs(self) -> int:
        """The number of measured pairs."""
        return sum(map(len, self.stages.values()))

    def row(self, *, several: bool = False) -> tuple[str, ...]:
        """Return the verdict as the cells of a table row. several: whether the table has several workloads or numbers of threads"""
        ratio = precise_ratio(self.ratio) if self.ratio else "-"
        won = f"{self.won} of {len(self.judged)}" if self.judged else "-"
        job = (self.workload, str(self.threads)) if several else ()
        start = precise_ratio(self.start, 2) if self.start else "-"
        return self.trainer, *job, self.word, ratio, start, won, str(self.pairs), f"{self.seconds:.0f}"

    def plain(self) -> dict[str, object]:
        """Return the verdict as a dictionary for JSON."""
        ends = self.ratio.json() if self.ratio else dict.fromkeys(Interval._fields)
        return {
            "trainer": self.trainer,
            "workload": self.workload,
            "threads": self.threads,
            "verdict": self.word,
            "ratio": ends["value"],
            "low": ends["low"],
            "high": ends["high"],
            "pairs": self.pairs,
            "start": self.start and self.start.json(),
            "judged_pairs": len(self.judged),
            "won_pairs": self.won,
            "seconds": round(self.seconds, 1),
            "reason": self.reason,
            "why": self.why and self.why.plain(),
        }


@dataclass(frozen=True)
class Report:
    """The verdicts on a working tree, `head`, compared with its `base`.

    csv        the file with the pairs, if any
    unwritten  a warning that says why the file could not be written, or empty
    """

    base: str
    head: str
    margin: float
    verdicts: Sequence[Verdict]
    csv: Path | None
    unwritten: str = ""

    @property
    def broken_off(self) -> BaseException | None:
        """The signal or error that ended the gate before it judged every trainer, if any."""
        return next((verdict.broken_off for verdict in self.verdicts if verdict.broken_off), None)

    def draw(self) -> list[Path]:
        """Draw the ratio of each pair of each verdict, write the charts beside the CSV, and return the files."""
        files = []
        for verdict in self.verdicts:
            if self.csv and verdict.duel and verdict.ratio and verdict.ratio.known:
                from bench.plot import charts  # imported here: loads matplotlib and pandas

                job = f"-{slug(verdict.workload)}-{verdict.threads}" if self.several else ""
                stem = self.csv.with_name(f"{self.csv.stem}-{slug(verdict.trainer)}{job}")
                files += charts.draw_ratios(verdict.duel, verdict.stages, verdict.ratio, stem, margin=self.margin)
        return files

    def exit_code(self, *, strict: bool) -> int:
        """Return 1 if a trainer is slower, slower to start, or broken; 3 if `strict` and a trainer has no decision; else 0."""
        words = {verdict.word for verdict in self.verdicts}
        if words & {"slower", "slower to start", "broken"}:
            return 1
        return 3 if strict and words & set(WITHOUT_DECISION) else 0

    @property
    def several(self) -> bool:
        """Whether there are verdicts of several workloads or numbers of threads."""
        return len({(verdict.workload, verdict.threads) for verdict in self.verdicts}) > 1

    @property
    def not_judged(self) -> str:
        """The trainers without a decision, each with its verdict; empty if there are none."""
        return ", ".join(
            f"{verdict.title if self.several else verdict.trainer} ({verdict.word})"
            for verdict in self.verdicts
            if verdict.word in WITHOUT_DECISION
        )

    def json(self) -> str:
        """Return the report as one JSON object; an unknown end of an interval is null."""
        return json.dumps({"base": self.base, "head": self.head, "margin": self.margin, "verdicts": [v.plain() for v in self.verdicts]})

    def text(self) -> str:
        """Return the report as text for a terminal."""
        first = [f"NOT JUDGED: {plain(self.not_judged)}"] if self.not_judged else []
        why = [f"\nwhy {v.title} is slower: {v.why.sentence()}\n{v.why.table().text()}" for v in self.verdicts if v.why]
        return "\n".join([*first, self._table("").text(), *why, *([str(self.csv)] if self.csv else [])])

    def markdown(self) -> str:
        """Return the report as Markdown for a pull request."""
        first = f"**NOT JUDGED: {plain(self.not_judged)}**\n\n" if self.not_judged else ""
        why = [f"\n**Why {v.title} is slower:** {v.why.sentence()}\n\n{v.why.table().markdown()}\n" for v in self.verdicts if v.why]
        return "".join([first, self._table("epochbench gate: ").markdown(), "\n", *why])

    def _table(self, title: str) -> Table:
        named = [(v, v.title if self.several else v.trainer) for v in self.verdicts]
        notes = [v.reason if v.reason.startswith(v.trainer) else f"{name}: {v.reason}" for v, name in named if v.reason]
        notes += [self.unwritten] if self.unwritten else []
        notes += sorted({f"measured on {v.duel.title}, {counted(v.duel.threads, 'thread')}" for v in self.verdicts if v.duel})
        if not self.verdicts:
            notes = ["no trainer's code differs from the base; to judge one anyway, give --trainers NAME,..."]
        job = ["workload", "threads"] if self.several else []
        return Table(
            f"{title}{self.head} against {self.base}, margin {self.margin:.1%}",
            ["trainer", *job, "verdict", "time, new / base (95 %)", "to start", "won by new", "pairs", "seconds"],
            [verdict.row(several=self.several) for verdict in self.verdicts],
            [plain(note) for note in notes],
        )
