"""How often `history` is right about a change of speed, in histories made from recorded pairs.

    python results/history/study.py otava    writes otava.csv: the same histories judged by Apache Otava, which must be installed; a minute
    python results/history/study.py report   writes figures.md; a minute

The pairs are those of results/gate. A history has 30 commits with 8 pairs each. All are equally fast, or slower from a random one on.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench.history import PAIRS  # noqa: E402 (from this checkout, whatever the current directory)
from bench.history.answer import Answer  # noqa: E402
from bench.paired.revisions import Commit  # noqa: E402
from bench.text.tables import Table  # noqa: E402
from results.gate.study import recorded_pairs  # noqa: E402

COMMITS = 30
STEPS = (0.0, 0.02, 0.03, 0.05)
STATES = ("", "busy", "busy on our core")  # of the machine
NEAR = 1  # commits by which a change may be misplaced
HISTORIES = 2000  # of each kind
FEW = {"histories": 20}  # arguments of `report` that take seconds
OTAVA_HISTORIES = 200

Ratios = list[list[float]]  # log ratios of the pairs of each commit


def judged(ratios: Ratios) -> list[int]:
    """Return the commits at which `history` sees a change."""
    commits = [Commit(f"{at:040d}", "2026-01-01", "") for at in range(len(ratios) + 1)]
    answer = Answer("matrix", commits, dict(enumerate(ratios, start=1)))
    return [change.commit - 1 for change in answer.changes()]


def judged_by_otava(ratios: Ratios) -> list[int]:
    """Return the commits at which Apache Otava sees a change in the commits' median ratios, with its default options."""
    from otava.analysis import compute_change_points

    points, _ = compute_change_points([math.exp(float(np.median(logs))) for logs in ratios])
    return [point.index for point in points]


def rates(
    judge: Callable[[Ratios], Sequence[int]], pool: npt.NDArray[np.float64], step: float, histories: int, seed: int
) -> tuple[float, float]:
    """Return the share of histories in which the step is found, and the share with any false change."""
    rng, found, false = np.random.default_rng(seed), 0, 0
    for _ in range(histories):
        culprit = int(rng.integers(1, COMMITS)) if step else COMMITS
        ratios = [(rng.choice(pool, PAIRS) + math.log1p(step) * (at >= culprit)).tolist() for at in range(COMMITS)]
        at = judge(ratios)
        right = [one for one in at if abs(one - culprit) <= NEAR]
        found, false = found + bool(right), false + (len(at) > len(right[:1]))
    return found / histories, false / histories


def conditions(judge: Callable[[Ratios], Sequence[int]], histories: int) -> list[list[str]]:
    """Return a row of rates for each state of the machine and each step."""
    rows, recorded = [], recorded_pairs()
    for state in STATES:
        pool = np.array([pair.log_ratio for pair in recorded["none", 0.0, state]])
        for step in STEPS:
            found, false = rates(judge, pool - np.median(pool), step, histories, seed=7)
            rows.append([f"{state or 'idle'}, {f'{step:.0%}' if step else 'no change'}", f"{found:.1%}" if step else "-", f"{false:.1%}"])
    return rows


def report(histories: int = HISTORIES) -> str:
    """Return figures.md."""
    with (HERE / "otava.csv").open(newline="") as file:
        theirs = list(csv.reader(file))
    rows = [[*ours, *others[1:]] for ours, others in zip(conditions(judged, histories), theirs, strict=True)]
    title = f"{histories:,} histories of {COMMITS} commits with {PAIRS} pairs each; {OTAVA_HISTORIES} for Otava"
    headings = ["machine, change", "found", "any false change", "found by Otava", "any false change by Otava"]
    return Table(title, headings, rows, numbers=True).markdown() + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["otava"]:
        with (HERE / "otava.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(conditions(judged_by_otava, OTAVA_HISTORIES))
    (HERE / "figures.md").write_text(report())
