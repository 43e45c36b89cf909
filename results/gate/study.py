"""Error rates of the gate: the recording behind README.md in this folder, and the figures made from it.

    python results/gate/study.py record   writes sizes.csv, pairs.csv and stored.csv; an hour on two idle cores
    python results/gate/study.py live     writes live.csv, with the slowdowns of sizes.csv; half an hour
    python results/gate/study.py report   writes figures.md from the three other files; one minute

The study plants slowdowns in the steps of `matrix` (bench/gate/planted_slowdowns.py has the kinds). It records ten pairs of each
condition in turn, so that slow and fast phases of the machine affect all conditions.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice, product
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench.gate import MARGIN, SECONDS  # noqa: E402
from bench.gate.planted_slowdowns import KINDS, variable  # noqa: E402
from bench.gate.self_test import resample, shares, with_planted  # noqa: E402
from bench.paired import duel  # noqa: E402 (from this checkout, whatever the current directory)
from bench.paired.contender import contender  # noqa: E402
from bench.paired.duel import Duel  # noqa: E402
from bench.paired.pair import Pair  # noqa: E402
from bench.paired.rule import decide  # noqa: E402
from bench.text.tables import Table  # noqa: E402
from bench.workload import named  # noqa: E402
from impls import mnist  # noqa: E402

Condition = tuple[str, float, str]  # kind of slowdown, its size, state of the machine: "busy" or empty

TRAINER = "matrix"
METHODS = dict(zip(KINDS, ("_update_mini_batch", "_backprop") * 3, strict=True))  # called once per mini-batch
LEVELS = (0.02, 0.03, 0.05)
TURNS, A_TURN = 5, 10  # 50 pairs per condition; four times as many of unchanged code
TRIALS = 10_000  # drawn trials of unchanged code; a tenth as many of each slowdown
FEW = {"trials": 20}  # arguments of `report` that take seconds
LIVE, LIVE_LEVEL = 8, 0.03


@contextmanager
def prepared() -> Iterator[Duel]:
    """Prepare a verified duel of the trainer with itself."""
    with tempfile.TemporaryDirectory() as directory:
        one, other = (contender(TRAINER, Path(directory) / name) for name in ("a", "b"))
        yield duel.prepare(one, other, named("nielsen"), mnist(), Path(directory), threads=1, seconds=SECONDS)


@contextmanager
def busy(state: str) -> Iterator[None]:
    """Run a second process that computes all the time, on any processor or on the one that the trainer uses."""
    if not state:
        yield
        return
    until_we_end = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # also if this process is killed
    with subprocess.Popen([sys.executable, "-c", until_we_end]) as process:
        os.sched_setaffinity(process.pid, {0} if state == "busy on our core" else range(os.cpu_count() or 1))
        try:
            yield
        finally:
            process.kill()


@dataclass(frozen=True)
class Planted:
    """A kind of slowdown, its level, and its size in units per call. At level 0 the trainer is unchanged."""

    kind: str
    level: float
    units: float = 0.0

    def subject(self, match: Duel) -> Duel:
        """Return the duel with the slowdown in its first contender."""
        return with_planted(match, TRAINER, METHODS[self.kind], self.kind, self.units) if self.level else match


UNCHANGED = Planted("none", 0.0)


def measure_sizes(match: Duel) -> None:
    """Write sizes.csv: per kind, the slowdown of an empty wrapper around its method and of each unit per call, in shares of an epoch."""
    with (HERE / "sizes.csv").open("w", newline="") as file:
        sizes = csv.writer(file, lineterminator="\n")
        sizes.writerow(["kind", "empty_wrapper", "unit"])
        for kind in KINDS:
            nothing, unit = shares(match, TRAINER, METHODS[kind], kind)
            sizes.writerow([kind, f"{nothing:.5f}", f"{unit:.5f}"])
            print(f"{kind}: empty wrapper {nothing:.2%} of an epoch, one unit per step {unit:.2%}", flush=True)


def planted(levels: Sequence[float]) -> list[Planted]:
    """Return every kind at every level, with the sizes of sizes.csv."""
    sizes = {row["kind"]: (float(row["empty_wrapper"]), float(row["unit"])) for row in _read("sizes.csv")}
    return [Planted(kind, level, max(level - nothing, 0) / unit) for kind, (nothing, unit) in sizes.items() for level in levels]


def stored_median(match: Duel, subject: Planted) -> float:
    """Run pytest-benchmark once and return the median that it stores, in seconds."""
    examples = match.title.split(" examples")[0].split(", ")[-1].replace(",", "")
    trainer = "bench.gate.planted_slowdowns:Planted" if subject.level else TRAINER
    environment = os.environ | (variable(TRAINER, METHODS[subject.kind], subject.kind, subject.units) if subject.level else {})
    with tempfile.TemporaryDirectory() as directory:
        stored = Path(directory) / "stored.json"
        command = [sys.executable, "-m", "pytest", "bench", "-p", "no:cacheprovider", "--benchmark-only", "--no-charts"]
        command += ["--trainers", trainer, "--workload", "nielsen", "--examples", examples, "--threads", "1"]
        command += ["--results", directory, "--benchmark-json", str(stored)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
        return float(json.loads(stored.read_text())["benchmarks"][0]["stats"]["median"])


def record() -> None:
    """Write sizes.csv, pairs.csv and stored.csv."""
    with prepared() as match, (HERE / "pairs.csv").open("w", newline="") as one, (HERE / "stored.csv").open("w", newline="") as other:
        pairs, medians = csv.writer(one, lineterminator="\n"), csv.writer(other, lineterminator="\n")
        pairs.writerow(["kind", "slower", "busy", "turn", "pair_seconds", "order", "a_microseconds", "b_microseconds"])
        medians.writerow(["kind", "slower", "busy", "turn", "median_seconds"])
        measure_sizes(match)
        slowdowns = planted(LEVELS)
        (five,) = [slowdown for slowdown in slowdowns if (slowdown.kind, slowdown.level) == ("added-pass", 0.05)]
        conditions = [(UNCHANGED, "")] * 4 + [(slowdown, "") for slowdown in slowdowns]
        conditions += list(product((UNCHANGED, five), ("busy", "busy on our core")))
        for turn in range(TURNS):
            for subject, state in conditions:
                with busy(state):
                    for pair in islice(subject.subject(match).pairs(), A_TURN):
                        times = [" ".join(f"{second * 1e6:.0f}" for second in side) for side in (pair.a, pair.b)]
                        pairs.writerow([subject.kind, subject.level, state, turn, f"{pair.seconds:.3f}", pair.order, *times])
                    medians.writerow([subject.kind, subject.level, state, turn, f"{stored_median(match, subject):.6f}"])
                one.flush()
                other.flush()
            print(f"turn {turn + 1} of {TURNS}", flush=True)


def live() -> None:
    """Write live.csv: verdicts of the gate's rule on newly measured pairs."""
    with prepared() as match, (HERE / "live.csv").open("w", newline="") as file:
        trials = csv.writer(file, lineterminator="\n")
        trials.writerow(["kind", "slower", "trial", "verdict", "ratio", "low", "high", "pairs", "seconds"])
        subjects = [UNCHANGED, *planted([LIVE_LEVEL])]
        for trial in range(LIVE):
            for subject in subjects:
                word, ratio, stages = decide(subject.subject(match).pairs(), margin=MARGIN, seconds=SECONDS)
                seconds = sum(pair.seconds for pairs in stages.values() for pair in pairs)
                count = sum(map(len, stages.values()))
                trials.writerow([subject.kind, subject.level, trial, word, *(f"{end:.4f}" for end in ratio), count, f"{seconds:.1f}"])
                file.flush()
            print(f"trial {trial + 1} of {LIVE}", flush=True)


def recorded_pairs() -> dict[Condition, list[Pair]]:
    """Return the pairs of pairs.csv, in order, by condition."""
    recorded: dict[Condition, list[Pair]] = defaultdict(list)
    for row in _read("pairs.csv"):
        a, b = (tuple(float(time) / 1e6 for time in row[name].split()) for name in ("a_microseconds", "b_microseconds"))
        recorded[row["kind"], float(row["slower"]), row["busy"]].append(Pair(a, b, row["order"], float(row["pair_seconds"])))
    return recorded


def report(trials: int = TRIALS) -> str:
    """Return figures.md: a summary, every condition, and the live trials.

    trials  number of drawn trials of unchanged code; a tenth as many of each slowdown
    """
    recorded, medians, verdicts = recorded_pairs(), defaultdict(list), defaultdict(list)
    for row in _read("stored.csv"):
        medians[row["kind"], float(row["slower"]), row["busy"]].append((int(row["turn"]), float(row["median_seconds"])))
    for row in _read("live.csv"):
        verdicts[row["kind"], float(row["slower"])].append((row["verdict"], float(row["seconds"])))

    found, stored = defaultdict(list), defaultdict(list)  # shares of trials called slower and undecided, by level; of stored medians
    conditions = []
    for (kind, level, state), pairs in sorted(recorded.items(), key=lambda item: (item[0][2], item[0][1], item[0][0])):
        rates, exact = (
            resample(some, slower=level, margin=MARGIN, seconds=SECONDS, trials=trials // 10 if level else trials)
            for some in (pairs, _centred(pairs, level))
        )
        compared = _compared(medians["none", 0.0, state], medians[kind, level, state])
        if not state:
            words = exact.words if level else rates.words
            found[level].append((words.get("slower", 0.0), words.get("undecided", 0.0)))
            stored[level].append(compared)
        shares = [f"{rates.words.get(word, 0):.2%}" for word in ("slower", "not slower", "undecided")]
        conditions.append((_planted_name(kind, level), state or "-", f"{rates.measured:+.2%}", rates.pairs, *shares,
                           f"{rates.seconds:.0f} s", f"{exact.words.get('slower', 0):.2%}", f"{compared:.1%}"))  # fmt: skip
    summary = [
        (f"{level:.0%} slower, {len(shares)} kinds" if level else "unchanged", trials // 10 * len(shares) if level else trials,
         f"{min(slower for slower, _ in shares):.2%}", f"{max(undecided for _, undecided in shares):.2%}",
         f"{np.mean(stored[level]):.1%}")
        for level, shares in sorted(found.items())
    ]  # fmt: skip
    live = []
    for (kind, level), judged in verdicts.items():
        counts = [sum(word == wanted for word, _ in judged) for wanted in ("slower", "not slower", "undecided")]
        times = [seconds for _, seconds in judged]
        live.append((_planted_name(kind, level), len(judged), *counts, f"{np.median(times):.0f} s", f"{max(times):.0f} s"))
    return "\n".join(
        [
            _table(["code", "trials", "called slower (worst kind)", "undecided (worst kind)", "slower by a stored median and 5 %"],
                   summary),
            _table(["planted", "busy", "measured", "pairs", "called slower", "not slower", "undecided", "median time",
                     "called slower, rescaled", "slower by a stored median"], conditions),
            _table(["planted, live", "trials", "called slower", "not slower", "undecided", "median time", "longest"], live),
        ]
    )  # fmt: skip


def _planted_name(kind: str, level: float) -> str:
    return f"{kind} {level:.0%}" if level else "nothing"


def _table(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table followed by an empty line."""
    return Table("", headings, [[str(cell) for cell in row] for row in rows], numbers=True).markdown() + "\n"


def _centred(pairs: list[Pair], level: float) -> list[Pair]:
    """Return the pairs with a's times scaled by one factor, so that the median of their ratios is exactly 1 + level."""
    factor = (1 + level) / float(np.exp(np.median([pair.log_ratio for pair in pairs])))
    return [replace(pair, a=tuple(factor * second for second in pair.a)) for pair in pairs]


def _compared(baselines: list[tuple[int, float]], runs: list[tuple[int, float]]) -> float:
    """Return how often --benchmark-compare-fail=median:5% fails a run compared with a baseline from another turn."""
    trials = [run > 1.05 * baseline for (turn, baseline), (later, run) in product(baselines, runs) if turn != later]
    return sum(trials) / len(trials)


def _read(name: str) -> list[dict[str, str]]:
    with (HERE / name).open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    if sys.argv[1:] == ["report"]:
        text = report()
        (HERE / "figures.md").write_text(text, encoding="utf-8")
        print(text)
    else:
        {"record": record, "live": live}[sys.argv[1]]()
