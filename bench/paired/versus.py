"""`python -m bench versus A B`: the ratio of two contenders' epoch times on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from bench import records
from bench.machine.identity import describe
from bench.machine.load import CAUSES, TAKEN, Meter, Shares
from bench.options import Options
from bench.paired import duel
from bench.paired.contender import Contender, ContenderError, contender
from bench.paired.duel import Duel
from bench.paired.environment import interpreter
from bench.paired.pair import Pair, all_seconds, pair_rows
from bench.paired.sequential import interim_looks, interval_at, is_precise, kept
from bench.stats.intervals import Interval
from bench.system.progress import progress
from bench.system.scratch import scratch_dir
from bench.system.signals import Stopped
from bench.text.numbers import counted, digits, duration, plain


@dataclass(frozen=True)
class Side:
    """The user's choice of a contender: `trainer` or `trainer@revision`, an interpreter, environment variables, versions of packages."""

    name: str
    python: str | None
    env: Mapping[str, str]
    requirements: Sequence[str] = ()

    def contender(self, directory: Path) -> Contender:
        """Copy its code into a directory and return the contender. Makes an environment for the requirements, if there are any."""
        python = interpreter(self.requirements, self.name.partition("@")[0], self.python) if self.requirements else self.python
        return contender(self.name, directory, python=python, env=self.env, label=" ".join(self.requirements))


@dataclass(frozen=True)
class Answer:
    """A duel's result: the ratio of a's epoch time to b's, and the measured pairs.

    others      shares of the processors' time that other processes and virtual machines took; None: not measured
    broken_off  the signal or the contender's failure that ended the duel early, if any
    """

    duel: Duel
    ratio: Interval
    pairs: list[Pair]
    others: Shares | None = None
    broken_off: Stopped | ContenderError | None = None

    def json(self) -> str:
        """Return the result as one JSON object; an unknown end of the interval is null."""
        ends = self.ratio.json()
        sides = {side: self._side(side) for side in "ab"}
        rounds = sum(len(pair.a) for pair in self.pairs)
        return json.dumps(
            {"ratio": ends["value"], "low": ends["low"], "high": ends["high"], "pairs": len(self.pairs), "rounds": rounds, **sides}
        )

    def text(self) -> str:
        """Return the result as text for a terminal."""
        match, ratio = self.duel, self.ratio
        a, b = self._side("a"), self._side("b")
        width = max(len(a["name"]), len(b["name"]))
        lines = [
            f"{match.title}, {counted(match.threads, 'thread')}",
            *([match.size] if match.size else []),
            f"A  {a['name']:<{width}}  {duration(a['median'])} per epoch, {duration(a['start'])} to start",
            f"B  {b['name']:<{width}}  {duration(b['median'])} per epoch, {duration(b['start'])} to start",
            "",
            f"A takes {ratio.value:.3f} times as long as B (95 %: {_ends(ratio)}): {_in_words(ratio)}",
            f"{counted(len(self.pairs), 'pair')} of processes, {sum(len(pair.a) for pair in self.pairs)} rounds",
        ]
        compared = sorted({*a, *b} - {"name", "median", "start"})
        lines += [f"differs: {what}: {self._shown(a, what)} | {self._shown(b, what)}" for what in compared if a.get(what) != b.get(what)]
        medians = a["median"] / b["median"]
        if ratio.known and not ratio.low <= medians <= ratio.high:
            lines.append(f"this is the ratio of epochs in turn; the medians have the ratio {medians:.3f}, as the machine's speed changed")
        taken = self.others._asdict() if self.others else {}
        lines += [f"warning: {CAUSES[cause]}: {share:.0%}" for cause, share in taken.items() if share and share > TAKEN]
        lines += [plain(f"warning: {side['name']}: left child processes running; killed {', '.join(sorted(left))}")
                  for side, left in zip((a, b), match.left_behind.values(), strict=True) if left]  # fmt: skip
        return "\n".join(lines)

    def save(self, directory: Path, machine: str | None) -> Path:
        """Write the rounds of all pairs to a CSV in the directory and return its path."""
        run_id, name = records.new_id(datetime.now(UTC)), describe(machine).machine
        writer = records.Writer(directory / f"{run_id}-versus-{name}.csv")
        writer.add(pair_rows(self.duel, {"": self.pairs}, run_id=run_id, machine=name))
        return writer.close()

    def _side(self, side: str) -> dict[str, Any]:
        contender: Contender = getattr(self.duel, side)
        median = float(np.median(all_seconds(self.pairs, side)))
        return {
            "name": contender.name,
            "median": median,
            "start": float(np.median([getattr(pair, f"{side}_start") for pair in self.pairs])),  # constructor and load: data, compilation
            "code": contender.code,
            "interpreter": contender.python,
            **self.duel.facts[side],
            "env": dict(contender.env),
        }

    @staticmethod
    def _shown(side: dict[str, Any], what: str) -> str:
        value = side.get(what)
        return " ".join(f"{k}={v}" for k, v in value.items()) or "-" if isinstance(value, dict) else str(value or "-")


def versus(a: Side, b: Side, options: Options, *, seconds: float) -> Answer:
    """Verify both sides, then measure pairs until the interval is precise or the seconds are up.

    seconds  time budget, including verification
    Raises InputError unless the options name one workload. Raises ContenderError or Stopped before the first pair; after it, returns
    the answer so far, with the error in `broken_off`.
    """
    workload = options.only_workload("versus")
    begin, splits = time.monotonic(), options.splits()
    pairs: list[Pair] = []
    looks = 0
    try:
        with scratch_dir() as directory:
            one, other = a.contender(directory / "a"), b.contender(directory / "b")
            progress("verifying both contenders")
            match = duel.prepare(one, other, workload, splits, directory, threads=options.threads or duel.THREADS, seconds=seconds)
            meter = Meter(children=True)
            for taken, ratio in interim_looks(kept(match.pairs(), pairs), seconds - (time.monotonic() - begin)):
                looks += 1
                progress(f"{counted(len(taken), 'pair')}: {digits(ratio.value)}x ({_ends(ratio)})")
                if is_precise(ratio):
                    break
    except (Stopped, ContenderError) as error:
        if not pairs:
            raise
        return Answer(match, interval_at(pairs, looks + 1), pairs, meter.shares(), error)
    return Answer(match, ratio, pairs, meter.shares())


def _ends(ratio: Interval) -> str:
    return f"{ratio.low:.3f} to {ratio.high:.3f}" if ratio.known else "-"


def _in_words(ratio: Interval) -> str:
    if not ratio.known:
        return "too few pairs for an interval; raise --seconds"
    if ratio.low <= 1 <= ratio.high:
        return "no measurable difference"
    return f"A is {digits(1 / ratio.value)} times as fast" if ratio.value < 1 else f"B is {digits(ratio.value)} times as fast"
