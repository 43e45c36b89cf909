"""`python -m bench matrix --with PACKAGE=VERSION,...`: a trainer's speed under several versions, each over the first."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from bench import records
from bench.machine.identity import describe
from bench.options import Options
from bench.paired.contender import ContenderError, contender
from bench.paired.duel import Duel
from bench.paired.environment import interpreter
from bench.paired.many_duels import ManyDuels
from bench.paired.pair import Pair, rows_of
from bench.paired.turns import measure_in_turns
from bench.records import WriteError
from bench.stats.intervals import Interval
from bench.stats.levels import levels
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted, plain
from bench.text.tables import Table
from impls import InputError

PYTHON = "python"  # the axis of the interpreter's version; the others are packages


@dataclass
class Answer:
    """A trainer under each combination of versions, paired with the first.

    axes        what varies: packages, or PYTHON
    versions    of each combination, in the order of the axes
    ratios      log ratios of the pairs over the first, by the number of the combination
    skipped     combinations that could not be measured, with the reason
    duel        the latest duel; None: nothing was measured
    csv         the file with the pairs
    broken_off  the signal or the failure that ended the measurement early, if any
    """

    trainer: str
    axes: Sequence[str]
    versions: Sequence[tuple[str, ...]]
    ratios: dict[int, list[float]]
    skipped: dict[int, str] = field(default_factory=dict)
    duel: Duel | None = None
    csv: Path | None = None
    broken_off: BaseException | None = None

    def intervals(self) -> dict[int, Interval]:
        """Return the ratio of each measured combination to the first, with its interval."""
        measured = {at: logs for at, logs in self.ratios.items() if logs}
        return {at: Interval(*map(math.exp, level)) for at, level in levels(measured).items()}

    def table(self) -> Table:
        """Return the answer as a table."""
        ratios, rows = self.intervals(), []
        for at, versions in enumerate(self.versions):
            ratio = f"{ratios[at].value:.3f}x ({ratios[at].low:.3f}-{ratios[at].high:.3f})" if at in ratios else "-" if at else "1"
            rows.append((*versions, ratio, str(len(self.ratios.get(at, [])))))
        notes = [f"time: over that under {self._name(0)}"]
        notes += [f"measured on {self.duel.title}, {counted(self.duel.threads, 'thread')}"] if self.duel else []
        notes += [f"skipped {self._name(at)}: {reason}" for at, reason in self.skipped.items()]
        return Table(self.trainer, [*self.axes, "time (95 %)", "pairs"], rows, [plain(note) for note in notes])

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
    if len(options.trainers) != 1:
        raise InputError("--trainers", f"matrix takes one trainer, not {len(options.trainers)}", "give --trainers NAME")
    trainer, end = options.trainers[0], time.monotonic() + seconds
    names = [name for name, _ in axes]
    versions = list(itertools.product(*(values for _, values in axes)))
    if len(versions) < 2:
        raise InputError("--with", "names one combination of versions", "give two or more, such as --with numpy=2.1,2.2")
    records.check_writable(options.results)
    pythons = [_interpreter(dict(zip(names, each, strict=True)), trainer) for each in versions]
    run_id, machine = records.new_id(datetime.now(UTC)), describe(options.machine).machine
    writer = records.Writer(options.results / f"{run_id}-matrix-{machine}.csv")
    answer = Answer(trainer, names, versions, {at: [] for at in range(1, len(versions))})

    def keep(match: Duel, number: int, pair: Pair) -> None:
        answer.duel = match
        with suppress(WriteError):  # close() below writes again
            writer.add(rows_of(match, pair, number, run_id=run_id, machine=machine))

    labels = [" ".join(f"{name}={version}" for name, version in zip(names, each, strict=True)) for each in versions]
    try:
        with scratch_dir() as directory:
            duels = ManyDuels(
                lambda at, code: contender(trainer, code, python=pythons[at], label=labels[at]),
                options,
                directory,
                seconds=seconds,
                keep=keep,
            )
            measure_in_turns(duels, answer.ratios, answer.skipped, names=labels, pairs=pairs, end=end)
    except (Stopped, ContenderError) as error:
        if not any(answer.ratios.values()):
            raise
        answer.broken_off = error
    with suppress(WriteError):
        answer.csv = writer.close() if answer.duel else None
    return answer


def _interpreter(versions: dict[str, str], trainer: str) -> str:
    python = versions.pop(PYTHON, None)
    return interpreter(
        [f"{name}=={version}.*" if version.count(".") < 2 else f"{name}=={version}" for name, version in versions.items()], trainer, python
    )
