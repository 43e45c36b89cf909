"""`python -m bench gate`: is the working tree slower than its base? One verdict a trainer.

A verdict needs an interval that lies on one side of the margin, and *slower* needs two: after the first, pairs measured
afresh must say it again, and theirs is the ratio that is told. A run of bad luck that looks like a slowdown does not repeat.
"""

from __future__ import annotations

import ast
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import impls
from bench import duel, records
from bench.contender import commit, contender, git, working_tree
from bench.duel import Duel, Pair
from bench.format import counted, plain
from bench.intervals import Interval
from bench.machine import describe, slug
from bench.options import Options
from bench.process import ContenderError
from bench.records import WriteError
from bench.tables import escaped
from bench.verify import VerificationError
from impls import TRAINERS, InputError

Word = Literal["slower", "not slower", "faster", "undecided", "not comparable", "broken"]
MARGIN = 0.01
SECONDS = 90.0
_NOTHING_KNOWN = Interval(1.0, 0.0, float("inf"))


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a trainer. ratio is the working tree's epoch time over the base's, measured in `stages`."""

    trainer: str
    word: Word
    ratio: Interval = _NOTHING_KNOWN
    stages: dict[str, list[Pair]] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    duel: Duel | None = None

    @property
    def pairs(self) -> int:
        """How many pairs were measured."""
        return sum(map(len, self.stages.values()))


def judge(pairs: Iterable[Pair], *, margin: float, seconds: float) -> tuple[Word, Interval, dict[str, list[Pair]]]:
    """Look at the pairs as they come, and return the word, the ratio that it rests on, and the pairs by stage.

    margin  how much slower is slower: 0.01 means a ratio above 1.01
    """
    endless, left = iter(pairs), seconds
    stages: dict[str, list[Pair]] = {}
    word: Word = "undecided"
    ratio = _NOTHING_KNOWN
    for stage in ("first", "afresh"):
        word, ratio = "undecided", _NOTHING_KNOWN
        for found, ratio in duel.looks(endless, left):
            stages[stage] = found
            word = _word(ratio, margin)
            if word != "undecided":
                break
        left -= sum(pair.seconds for pair in stages.get(stage, []))
        if word != "slower":
            break
    return word, ratio, stages


@dataclass(frozen=True)
class Report:
    """The verdicts on a working tree, `head`, against its `base`, and the file that holds the pairs, or why there is none."""

    base: str
    head: str
    margin: float
    verdicts: list[Verdict]
    csv: Path | None
    unwritten: str = ""

    def draw(self) -> list[Path]:
        """Draw the ratios that each verdict rests on, pair by pair, beside the CSV; return the files."""
        from bench import plot

        files = []
        for verdict in self.verdicts:
            if self.csv and verdict.duel and verdict.stages:
                stem = self.csv.with_name(f"{self.csv.stem}-{slug(verdict.trainer)}")
                files += plot.ratios(verdict.duel, list(verdict.stages.values())[-1], verdict.ratio, stem)
        return files

    def exit_code(self, *, strict: bool) -> int:
        """Return 1 if a trainer is slower or broken, 3 if one could not be judged and the gate is strict, else 0."""
        words = {verdict.word for verdict in self.verdicts}
        if words & {"slower", "broken"}:
            return 1
        return 3 if strict and words & {"undecided", "not comparable"} else 0

    def json(self) -> str:
        """Return it as one JSON object; an end that an interval does not have is null."""
        return json.dumps({"base": self.base, "head": self.head, "margin": self.margin, "verdicts": [_plain(v) for v in self.verdicts]})

    def lines(self) -> tuple[str, list[str], list[tuple[str, ...]], list[str]]:
        """Return what it is about, the table's headings, its rows, and what is to be said below it."""
        about = f"{self.head} against {self.base}: slower means by more than {self.margin:.1%}"
        rows: list[tuple[str, ...]] = [
            (verdict.trainer, verdict.word, _times(verdict.ratio) if verdict.pairs else "-", str(verdict.pairs), f"{verdict.seconds:.0f}")
            for verdict in self.verdicts
        ]
        notes = [plain(f"{v.trainer}: {v.reason}") for v in self.verdicts if v.reason]
        notes += [plain(self.unwritten)] if self.unwritten else []
        notes += sorted({f"measured on {v.duel.title}, {counted(v.duel.threads, 'thread')}" for v in self.verdicts if v.duel})
        if not self.verdicts:
            notes = ["no trainer's code differs: nothing to judge; --trainers NAME,... judges all the same"]
        return about, ["trainer", "verdict", "time, new / base (95 %)", "pairs", "seconds"], rows, notes

    def text(self) -> str:
        """Return it for a terminal."""
        about, headings, rows, notes = self.lines()
        widths = [max(len(cell) for cell in column) for column in zip(headings, *rows, strict=True)]
        table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in (headings, *rows)]
        return "\n".join([about, *(table if rows else []), *notes, *([str(self.csv)] if self.csv else [])])

    def markdown(self) -> str:
        """Return it for a pull request."""
        about, headings, rows, notes = self.lines()
        told = ([f"**{cell}**" if i == 1 else escaped(cell) for i, cell in enumerate(row)] for row in rows)
        table = (f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *told))
        return "\n".join([f"### epochbench gate\n\n{escaped(about)}\n", *table, "", *(f"- {escaped(note)}" for note in notes)]) + "\n"


def gate(
    options: Options, *, base: str | None, margin: float = MARGIN, seconds: float = SECONDS, progress: Callable[[str], None]
) -> Report:
    """Judge each of the options' trainers, or if there are none those whose code differs from the base's.

    base     a revision; None: where the working tree's history left the main branch
    seconds  for each trainer
    The pairs of each trainer are on the disk as soon as its verdict stands.
    Raises InputError if there is no such base; what goes wrong with a trainer is its verdict.
    """
    if len(options.workloads) != 1:
        raise InputError(f"gate takes one workload, not {len(options.workloads)}: {', '.join(w.name for w in options.workloads)}")
    found = commit(base) if base else merge_base()
    trainers = options.trainers or changed(found)
    for trainer in trainers:
        impls.place(trainer)  # refuses a name that there is not
    records.check_writable(options.results)
    run_id, machine = records.new_id(datetime.now(UTC)), describe(options.machine).machine
    writer = records.Writer(options.results / f"{run_id}-gate-{machine}.csv")
    verdicts = []
    for trainer in trainers:
        verdict = _verdict(trainer, found, options, margin, seconds, progress)
        verdicts.append(verdict)
        if verdict.duel and verdict.pairs:
            with suppress(WriteError):  # tried again at the end; the verdict stands all the same
                writer.add(duel.rows(verdict.duel, verdict.stages, run_id=run_id, machine=machine))
    csv, unwritten = None, ""
    if any(verdict.pairs for verdict in verdicts):
        try:
            csv = writer.close()
        except WriteError as error:
            unwritten = f"warning: {error}"
    return Report(f"{found[:12]} ({base or 'merge base'})", working_tree(), margin, verdicts, csv, unwritten)


def _verdict(trainer: str, base: str, options: Options, margin: float, seconds: float, progress: Callable[[str], None]) -> Verdict:
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="epochbench-") as room:
        old = contender(f"{trainer}@{base[:12]}", Path(room) / "base")
        new = contender(trainer, Path(room) / "head")

        def failed(error: Exception, *, new_is_to_blame: bool) -> Verdict:
            word: Word = "broken" if new_is_to_blame else "not comparable"
            return Verdict(trainer, word, seconds=time.monotonic() - begin, reason=str(error))

        match = None
        try:
            progress(f"{trainer}: verifying")
            threads = options.threads or 1  # one is steadier, and what slows one slows two
            match = duel.prepare(new, old, options.workloads[0], options.splits(), Path(room), threads=threads, seconds=seconds)
            left = seconds - (time.monotonic() - begin)
            word, ratio, stages = judge(_told(match.pairs(), trainer, progress), margin=margin, seconds=left)
        except ContenderError as error:
            return failed(error, new_is_to_blame=error.contender is new and not error.absent)
        except VerificationError as error:
            return failed(error, new_is_to_blame=str(error).startswith(f"{new.name} "))
        left_behind = match.left_behind[0]
        reason = f"left processes behind, which were ended: {', '.join(sorted(left_behind))}" if left_behind else ""
        if word == "undecided":
            measured = sum(map(len, stages.values()))
            reason = reason or (
                "too noisy for the time: give more --seconds, or a machine that does nothing else"
                if measured >= duel.FIRST_LOOK
                else f"the time was enough for {counted(measured, 'pair')}; {duel.FIRST_LOOK} are needed at least: give more --seconds"
            )
        return Verdict(trainer, word, ratio, stages, time.monotonic() - begin, reason, match)


def _told(pairs: Iterable[Pair], trainer: str, progress: Callable[[str], None]) -> Iterator[Pair]:
    for number, pair in enumerate(pairs, start=1):
        progress(f"{trainer}: pair {number}")
        yield pair


def _word(ratio: Interval, margin: float) -> Word:
    if ratio.low > 1 + margin:
        return "slower"
    if ratio.high < 1 / (1 + margin):
        return "faster"
    return "not slower" if ratio.high < 1 + margin else "undecided"


# --- what to judge, against what ----------------------------------------------------------------------------------------------------


def merge_base() -> str:
    """Return the commit at which the history of HEAD left the main branch."""
    for main in ("origin/HEAD", "origin/main", "origin/master", "main", "master"):
        try:
            tip = git("rev-parse", "--verify", "--quiet", f"{main}^{{commit}}").strip()
        except InputError:
            continue
        try:
            return git("merge-base", "HEAD", tip).strip()
        except InputError as error:
            raise InputError(
                f"no merge base with {main} in this clone: git fetch --unshallow (actions/checkout: fetch-depth: 0)"
            ) from error
    git("rev-parse", "HEAD")  # says so where there is no git at all
    raise InputError(
        "no main branch in this clone: git fetch origin main:main (actions/checkout: fetch-depth: 0), or name the base, --base REVISION"
    )


def changed(base: str) -> list[str]:
    """Return the trainers whose code in the working tree differs from the base's: a file of theirs, or one that it imports.

    A file that is no Python, such as a kernel's source, belongs to those whose code names it.
    """
    listed = git("diff", "--name-only", base, "--", "impls") + git("ls-files", "--others", "--exclude-standard", "--", "impls")
    differ = {Path(line) for line in listed.splitlines()}
    others = {path.name for path in differ if path.suffix != ".py"}
    names = []
    for name, place in TRAINERS.items():
        code = _imported(place.partition(":")[0])
        if differ & code.keys() or any(other in text for other in others for text in code.values()):
            names.append(name)
    return names


def _imported(module: str) -> dict[Path, str]:
    """Return the files, with their text, that a module of impls is made of: its own and those it imports from impls.

    The package's __init__.py is not one of them: it only lists.
    """
    root = Path(impls.__file__).parent.parent
    found: dict[Path, str] = {}
    waiting = [module]
    while waiting:
        path = Path(*waiting.pop().split(".")).with_suffix(".py")
        if path in found or not (root / path).is_file():
            continue
        found[path] = (root / path).read_text(encoding="utf-8")
        try:
            tree = ast.parse(found[path])
        except SyntaxError:  # the trainer's verdict will tell
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("impls"):
                waiting += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [name.name for name in node.names]
    return found


# --- telling ------------------------------------------------------------------------------------------------------------------------


def _plain(verdict: Verdict) -> dict[str, object]:
    value, low, high = (end if 0 < end < float("inf") else None for end in verdict.ratio)
    return {
        "trainer": verdict.trainer,
        "verdict": verdict.word,
        "ratio": value if verdict.pairs else None,
        "low": low,
        "high": high,
        "pairs": verdict.pairs,
        "seconds": round(verdict.seconds, 1),
        "reason": verdict.reason,
    }


def _times(ratio: Interval) -> str:
    return f"{ratio.value:.3f}x ({ratio.low:.3f}-{ratio.high:.3f})"
