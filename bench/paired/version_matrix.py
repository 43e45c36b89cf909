"""`python -m bench matrix --with PACKAGE=VERSION,...`: a trainer's speed under several versions, each over the first."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.options import Options
from bench.paired.contender import ContenderError, contender
from bench.paired.environment import interpreter
from bench.paired.many_duels import ManyDuels
from bench.paired.pair_log import PairLog
from bench.paired.turns import measure_in_turns
from bench.stats.intervals import Interval
from bench.stats.levels import levels
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted, plain, precise_ratio
from bench.text.tables import Table
from impls import InputError

PYTHON = "python"  # the axis of the interpreter's version; the others are packages


@dataclass
class Answer:
    """A trainer under each combination of versions, paired with the first.

    axes        what varies: packages, or PYTHON
    versions    of each combination, in the order of the axes
    ratios      log ratios of the pairs over the first, by the number of the combination
    log         of the pairs
    skipped     combinations that could not be measured, with the reason
    broken_off  the signal or the failure that ended the measurement early, if any
    """

    trainer: str
    axes: Sequence[str]
    versions: Sequence[tuple[str, ...]]
    ratios: dict[int, list[float]]
    log: PairLog
    skipped: dict[int, str] = field(default_factory=dict)
    broken_off: BaseException | None = None

    def intervals(self) -> dict[int, Interval]:
        """Return the ratio of each measured combination to the first, with its interval."""
        measured = {at: logs for at, logs in self.ratios.items() if logs}
        return {at: Interval(*map(math.exp, level)) for at, level in levels(measured).items()}

    def table(self) -> Table:
        """Return the answer as a table."""
        ratios, rows = self.intervals(), []
        for at, versions in enumerate(self.versions):
            ratio = precise_ratio(ratios[at]) if at in ratios else "-" if at else "1"
            rows.append((*versions, ratio, str(len(self.ratios.get(at, [])))))
        notes = [f"time: over that under {self._name(0)}"]
        duel = self.log.duel
        notes += [f"measured on {duel.title}, {counted(duel.threads, 'thread')}"] if duel else []
        notes += [f"skipped {self._name(at)}: {reason}" for at, reason in self.skipped.items()]
        notes += [self.log.unwritten] if self.log.unwritten else []
        return Table(self.trainer, [*self.axes, "time (95 %)", "pairs"], rows, [plain(note) for note in notes])

    def text(self) -> str:
        """Return the answer as text for a terminal."""
        return self.table().text()

    def markdown(self) -> str:
        """Return the answer as Markdown."""
        return self.table().markdown()

    def json(self) -> str:
        """Return the answer as one JSON object; an unknown end of an interval is null."""
        ratios = self.intervals()
        rows = [
            {
                "versions": dict(zip(self.axes, versions, strict=True)),
                "ratio": ratios[at].json() if at in ratios else None,
                "pairs": len(self.ratios.get(at, [])),
                "skipped": self.skipped.get(at),
            }
            for at, versions in enumerate(self.versions)
        ]
        return json.dumps({"trainer": self.trainer, "combinations": rows}, allow_nan=False)

    def _name(self, at: int) -> str:
        return ", ".join(f"{axis} {version}" for axis, version in zip(self.axes, self.versions[at], strict=True))


def version_matrix(axes: Sequence[tuple[str, Sequence[str]]], options: Options, *, pairs: int, seconds: float) -> Answer:
    """Measure pairs of the trainer under each combination of versions with the first, until each has `pairs` or the seconds are up.

    axes  packages with their versions; PYTHON with versions of the interpreter
    Raises InputError unless the options name one trainer and one workload, or if the environment of a combination cannot be made.
    Raises ContenderError if the first does not run. A signal ends the measurement early: the answer has what was measured so far.
    """
    options.only_workload("matrix")
    trainer, end = options.only_trainer("matrix"), time.monotonic() + seconds
    names = [name for name, _ in axes]
    versions = list(itertools.product(*(values for _, values in axes)))
    if len(versions) < 2:
        raise InputError("--with", "names one combination of versions", "give two or more, such as --with numpy=2.1,2.2")
    log = PairLog(options, "matrix")
    pythons = [_interpreter(dict(zip(names, each, strict=True)), trainer) for each in versions]
    answer = Answer(trainer, names, versions, {at: [] for at in range(1, len(versions))}, log)
    labels = [" ".join(f"{name}={version}" for name, version in zip(names, each, strict=True)) for each in versions]
    try:
        with scratch_dir() as directory:
            duels = ManyDuels(
                lambda at, code: contender(trainer, code, python=pythons[at], label=labels[at]),
                options,
                directory,
                seconds=seconds,
                keep=log.keep,
            )
            measure_in_turns(duels, answer.ratios, answer.skipped, names=labels, pairs=pairs, end=end)
    except (Stopped, ContenderError) as error:
        if not any(answer.ratios.values()):
            raise
        answer.broken_off = error
    log.close()
    return answer


def _interpreter(versions: dict[str, str], trainer: str) -> str:
    python = versions.pop(PYTHON, None)
    return interpreter(
        [f"{name}=={version}.*" if version.count(".") < 2 else f"{name}=={version}" for name, version in versions.items()], trainer, python
    )
