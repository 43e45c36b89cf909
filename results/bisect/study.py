"""How often `bisect` is right: searches in histories made from recorded pairs, and in real ones.

    python results/bisect/study.py live     writes live.csv: ten searches in histories of 64 real commits; half an hour
    python results/bisect/study.py report   writes figures.md from it and from the pairs of results/gate; two minutes

A drawn history has 16 to 256 commits, with culprits at random places. A pair of two commits is drawn from the recorded pairs with that
slowdown between them, or without, so its noise is that of a real machine.
"""

from __future__ import annotations

import csv
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench.bisect import MARGIN, SECONDS  # noqa: E402 (from this checkout, whatever the current directory)
from bench.bisect.search import Findings, search  # noqa: E402
from bench.paired.pair import Pair  # noqa: E402
from bench.text.tables import Table  # noqa: E402
from results.gate.study import recorded_pairs  # noqa: E402

SLOWDOWNS = (0.02, 0.03, 0.05, 0.10)
SIZES = (16, 64, 256)
HISTORIES = 200  # of each kind
FEW = {"histories": 3}  # arguments of `report` that take seconds
PREPARE = 4.0  # seconds to verify a commit of `matrix` on this machine
WOBBLE = 0.003  # standard deviation of the logarithm of the commits' times, in one kind of history
TRIES, COMMITS = 10, 64  # live searches

Pools = dict[float, list[list[Pair]]]


def pools(state: str = "") -> Pools:
    """Return the recorded pairs by level, a list for each kind of slowdown, scaled to exactly this level. state: of the machine"""
    found: Pools = {}
    for (_, level, busy), pairs in sorted(recorded_pairs().items()):
        if busy == state:
            off = math.log1p(level) - float(np.median([pair.log_ratio for pair in pairs]))
            found.setdefault(level, []).append([slowed(pair, off) for pair in pairs])
    return found


def slowed(pair: Pair, log: float) -> Pair:
    """Return the pair with the first contender slower by a factor of exp(log)."""
    return replace(pair, a=tuple(seconds * math.exp(log) for seconds in pair.a))


class History:
    """Commits with given true times, as the logarithms of their ratios to commit 0."""

    def __init__(self, levels: npt.NDArray[np.float64], drawn_from: Pools, rng: np.random.Generator) -> None:
        self._levels, self._pools, self._rng = levels, drawn_from, rng
        self._kind = int(rng.integers(6))
        self._time, self._prepared = 0.0, set[int]()

    def pairs(self, commit: int, base: int) -> Iterator[Pair]:
        """Draw pairs endlessly."""
        self._time += PREPARE * len({commit, base} - self._prepared)
        self._prepared |= {commit, base}
        log = float(self._levels[commit] - self._levels[base])
        level = min(self._pools, key=lambda level: abs(math.log1p(level) - abs(log)))
        pool = self._pools[level][self._kind % len(self._pools[level])]
        while True:
            pair = pool[self._rng.integers(len(pool))]
            if log < 0:
                pair = Pair(pair.b, pair.a, pair.order, pair.seconds)
            self._time += pair.seconds
            yield slowed(pair, log - math.copysign(math.log1p(level), log))

    def cost(self, commit: int) -> float:
        """Return the seconds of a pair."""
        return 1.0 + (commit not in self._prepared) * PREPARE

    def now(self) -> float:
        """Return the time."""
        return self._time


def trial(steps: Sequence[float], size: int, drawn_from: Pools, rng: np.random.Generator, wobble: float = 0.0) -> tuple[str, float]:
    """Search in a random history with a culprit for each step. Return what came out, and the seconds."""
    culprits = sorted(int(commit) + 1 for commit in rng.choice(size, len(steps), replace=False))
    levels = rng.normal(0, wobble, size + 1) if wobble else np.zeros(size + 1)
    levels[0] = 0
    for culprit, step in zip(culprits, steps, strict=True):
        levels[culprit:] += math.log1p(step)
    history, found = History(levels, drawn_from, rng), Findings()
    search(history, size, found, margin=MARGIN, seconds=SECONDS)
    named = [commit for one in found.culprits for commit in one.commits]
    word = "wrong" if set(named) - set(culprits) else "all" if named == culprits else "some"
    return word, history.now()


def report(histories: int = HISTORIES) -> str:
    """Return figures.md."""
    rng, idle, busy, beside = np.random.default_rng(20), pools(), pools("busy"), pools("busy on our core")
    kinds = [(f"{slowdown:.0%}, {size} commits", [slowdown], size, idle, 0.0) for slowdown in SLOWDOWNS for size in SIZES]
    kinds += [
        ("none, 64 commits", [], 64, idle, 0.0),
        ("3 % and 5 %, 64 commits", [0.03, 0.05], 64, idle, 0.0),
        ("3 %, 64 commits, all others differ by 0.3 %", [0.03], 64, idle, WOBBLE),
        ("5 %, 64 commits, busy machine", [0.05], 64, busy, 0.0),
        ("5 %, 64 commits, another process on the same core", [0.05], 64, beside, 0.0),
    ]
    rows = []
    for name, steps, size, drawn_from, wobble in kinds:
        words, seconds = zip(*(trial(steps, size, drawn_from, rng, wobble) for _ in range(histories)), strict=True)
        shares = [f"{words.count(word) / histories:.1%}" for word in ("all", "wrong", "some")]
        rows.append([name, *shares, *(f"{time:.0f} s" for time in np.quantile(seconds, [0.5, 0.95]))])
    headings = ["slowdown and history", "all culprits found", "a wrong one named", "others", "time, median", "95 % within"]
    drawn = Table(f"{histories} drawn histories of each kind", headings, rows, numbers=True).markdown()
    with (HERE / "live.csv").open(newline="") as file:
        tries = [[row["slowdown"], row["culprit"], row["named"], row["ratio"], row["seconds"]] for row in csv.DictReader(file)]
    live = Table(f"Live searches in {COMMITS} commits", ["slowdown", "culprit", "named", "ratio", "seconds"], tries).markdown()
    return f"{drawn}\n\n{live}\n"


_MODULE = '''"""Commit {number}."""

from time import perf_counter

from impls.matrix import Matrix


class Mine(Matrix):
    """Waits after each step, for a share of its time."""

    def _update_mini_batch(self, *arguments):
        begin = perf_counter()
        super()._update_mini_batch(*arguments)
        end = perf_counter()
        while perf_counter() < end + {share} * (end - begin):
            pass
'''


def real_history(directory: Path, culprit: int, share: float) -> None:
    """Make a repository of COMMITS commits after the first one, in which the trainer mine:Mine is slower from the culprit on."""

    def git(*arguments: str) -> None:
        who = ["-c", "user.name=study", "-c", "user.email=study@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=directory, check=True, capture_output=True)

    git("init", "--quiet", "-b", "main")
    for number in range(COMMITS + 1):
        (directory / "mine.py").write_text(_MODULE.format(number=number, share=share if number >= culprit else 0.0))
        git("add", ".")
        git("commit", "--quiet", "-m", f"change {number}")


def live() -> None:
    """Write live.csv: searches of the command itself in real histories."""
    with (HERE / "live.csv").open("w", newline="") as file:
        tries = csv.writer(file, lineterminator="\n")
        tries.writerow(["slowdown", "culprit", "named", "ratio", "seconds"])
        for number in range(TRIES):
            share, culprit = (0.03, 0.05)[number % 2], random.randint(1, COMMITS)
            with tempfile.TemporaryDirectory() as directory:
                real_history(Path(directory), culprit, share)
                begin = time.monotonic()
                command = [sys.executable, "-m", "bench", "bisect", f"HEAD~{COMMITS}", "HEAD", "--trainers", "mine:Mine", "--json"]
                done = subprocess.run(
                    [*command, "--no-charts"], cwd=directory, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
                )
                seconds, answer = time.monotonic() - begin, json.loads(done.stdout)
            commits = [commit["commit"] for commit in answer["commits"]]
            named = [commits.index(one["commits"][-1]) for one in answer["culprits"]]
            ratios = " ".join(f"{one['value']:.3f} ({one['low']:.3f}-{one['high']:.3f})" for one in answer["culprits"])
            tries.writerow([f"{share:.0%}", culprit, " ".join(map(str, named)), ratios, f"{seconds:.0f}"])
            file.flush()


if __name__ == "__main__":
    if sys.argv[1:] == ["live"]:
        live()
    (HERE / "figures.md").write_text(report())
