"""Coverage of the 95 % intervals on recorded noise.

    python results/intervals/study.py   writes figures.md; three minutes

The true value is known, because the samples are drawn from a recording: it is the median of the recording.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench import records  # noqa: E402 (from this checkout, whatever the current directory)
from bench.paired.pair import Pair  # noqa: E402
from bench.paired.sequential import interim_looks  # noqa: E402
from bench.stats import intervals  # noqa: E402
from bench.stats.intervals import FEWEST, Interval, Sample  # noqa: E402
from bench.text.tables import Table  # noqa: E402
from results.gate.study import recorded_pairs  # noqa: E402
from results.intervals import simulated  # noqa: E402

TRIALS = 4000  # a share of 95 % then has a standard deviation of 0.3 %
FEW = {"trials": 20}  # arguments of `report` that take seconds
LONG = 28  # rounds; enough to draw samples of any size from
BLOCK = 5  # successive rounds drawn together, to keep the correlation of neighbours
SPANS = ((0.0, 0.05), (0.05, 0.13), (0.13, 0.25), (0.25, 2.0))  # seconds of an epoch
ALONE = 0.25  # seconds of an epoch; longer epochs are not correlated with their neighbours
PAIRS = 60  # about as many as fit into the default time of a duel

Times = npt.NDArray[np.float64]
rng = np.random.default_rng(0)


def recorded() -> list[Times]:
    """Return the rounds of every recorded case, in order, except for cases with drift: they have no single true value."""
    from bench.analysis import noise

    table = records.read(records.files([ROOT / "results"]))
    drifted = {(one.run_id, one.workload, one.trainer) for one in noise.detect(table)}
    cases = table[table["kind"] == "timing"].groupby(["run_id", "workload", "trainer"])
    return [rows.sort_values("round")["seconds"].to_numpy() for case, rows in cases if case not in drifted]


def processes() -> list[Times]:
    """Return the rounds of every recorded process of unchanged code. The processes differ in their memory layout."""
    return [side for pair in unchanged() for side in (np.array(pair.a), np.array(pair.b))]


def unchanged() -> list[Pair]:
    """Return the recorded pairs of unchanged code, in order."""
    return recorded_pairs()["none", 0.0, ""]


def resemblance(series: Times) -> float:
    """Return the correlation r of a round with the next. The estimate of n rounds is too small by (1 + 3 r) / n, which is corrected."""
    r = float(np.corrcoef(series[:-1], series[1:])[0, 1])
    return r + (1 + 3 * r) / len(series)


def drawn(series: Times, rounds: int, block: int) -> Times:
    """Draw rounds from a series in blocks of successive rounds."""
    starts = rng.integers(len(series) - block + 1, size=-(-rounds // block))
    return np.concatenate([series[start : start + block] for start in starts])[:rounds]


def coverage(trial: Callable[[], tuple[Interval, float]], trials: int) -> float:
    """Return the share of trials whose interval contains the true value."""
    return float(np.mean([interval.low <= truth <= interval.high for interval, truth in (trial() for _ in range(trials))]))


def one_run(cases: list[Times], rounds: int | None, block: int) -> tuple[Interval, float]:
    """Draw a run of `rounds` rounds (None: as many as the case has). Return the interval of its median, and the median of its case."""
    series = cases[rng.integers(len(cases))]
    return intervals.median(drawn(series, rounds or len(series), block)), float(np.median(series))


def two_runs(cases: list[Times], rounds: int | None, block: int) -> tuple[Interval, float]:
    """Draw two runs. Return the interval of the ratio of their medians, and the true ratio."""
    one, other = (cases[i] for i in rng.integers(len(cases), size=2))
    ratio = intervals.ratio(drawn(one, rounds or len(one), block), drawn(other, rounds or len(other), block))
    return ratio, float(np.median(one) / np.median(other))


def pooled(runs: list[Times], truth: float, count: int) -> tuple[Interval, float]:
    """Draw `count` whole runs of the same code. Return the interval of their centre, and the true value."""
    return Sample([runs[i] for i in rng.integers(len(runs), size=count)]).interval(), truth


def looked_at(log_ratios: Times) -> list[Interval]:
    """Return the interval at each look of a duel whose pairs have these log-ratios."""
    pairs = [Pair((float(ratio),), (1.0,), "a", 1.0) for ratio in np.exp(log_ratios)]
    return [interval for _, interval in interim_looks(pairs, seconds=math.inf)]


def simulations(trials: int) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of the tables of simulated noise, by title."""

    def share(trial: Callable[[], bool]) -> str:
        return _percent(float(np.mean([trial() for _ in range(trials)])))

    noise = [(kind, *(share(partial(simulated.covers, kind, rounds)) for rounds in (FEWEST, 8, 15, 20, 40))) for kind in simulated.KINDS]
    crossings = [simulated.crossing() for _ in range(trials)]
    found = [holds for holds in crossings if holds is not None]
    crossed = [
        ("crossings found", _percent(len(found) / trials)),
        ("intervals that contain the true crossing, of those found", _percent(float(np.mean(found)))),
        ("equal trainers with a crossing", share(simulated.equal_trainers_cross)),
    ]
    histories = []
    for step, runs in product((0.0, 0.05, 0.1), (1, 3)):
        changed, placed = np.mean([[*simulated.changes(step, runs)] for _ in range(trials)], axis=0)
        histories.append((f"{step:.0%} step" if step else "no step", runs, _percent(changed), _percent(placed) if step else "-"))
    differ = f"runs differ by {simulated.RUNS_DIFFER:.0%}"
    return {
        "simulated noise: how often the interval of a run contains the true value": [*noise],
        f"simulated crossings, over five mini-batch sizes; {differ}": [*crossed],
        f"simulated histories of {simulated.COMMITS} commits; {differ}": [*histories],
        f"simulated winners among equal trainers; {differ}": [(n, share(partial(simulated.names_a_winner, n))) for n in (2, 3, 5)],
        f"simulated runs that are pooled; {differ}": [
            (f"{slower:.0%}", share(partial(simulated.pooled, slower))) for slower in (0.0, 0.05, 0.1, 0.2, 0.5)
        ],
    }


def report(trials: int = TRIALS) -> str:
    """Return figures.md. Each share is over `trials` trials."""
    cases = recorded()
    long = [series for series in cases if len(series) >= LONG]
    sections = defaultdict(list)
    for least, most in SPANS:
        group = [series for series in cases if least <= np.median(series) < most and len(series) >= 8]
        block = 1 if least >= ALONE else BLOCK
        sections["with each case's own number of rounds"].append(
            (
                f"{least:g} to {most:g} s",
                len(group),
                f"{min(map(len, group))} to {max(map(len, group))}",
                f"{np.mean([resemblance(series) for series in group]):.2f}",
                block,
                *(_percent(coverage(partial(what, group, None, block), trials)) for what in (one_run, two_runs)),
            )
        )
    for rounds in (3, 4, FEWEST, 6, 7, 8, 10, 15, 20, 40):
        shares = [
            coverage(partial(what, long, rounds, block), trials) for block in (1, BLOCK) for what in (one_run, two_runs) if rounds >= block
        ]
        sections[f"rounds, drawn from {len(long)} recorded cases of {LONG} rounds and more"].append((rounds, *map(_percent, shares)))
    runs = processes()
    truth = float(np.median([np.median(run) for run in runs]))
    for count in (1, 2, 3, 4, FEWEST, 6, 8, 10, 20):
        sections[f"runs of six rounds, drawn from {len(runs)} recorded processes"].append(
            (count, _percent(coverage(partial(pooled, runs, truth, count), trials)))
        )
    logs = np.array([pair.log_ratio for pair in unchanged()])
    centre = math.exp(intervals.anytime_interval(logs, 1).value)
    for name, block in (("singly", 1), ("ten successive ones together", 10)):
        looks = [looked_at(drawn(logs, PAIRS, block)) for _ in range(trials)]
        first = float(np.mean([one[0].low <= centre <= one[0].high for one in looks]))
        every = float(np.mean([all(low <= centre <= high for _, low, high in one) for one in looks]))
        sections[f"pairs of a duel, drawn from {len(logs)} recorded ones"].append((name, _percent(first), _percent(every)))
    sections |= simulations(trials)
    headings = iter(
        (
            ["an epoch takes", "cases", "rounds", "correlation of neighbours", "drawn together", "median", "ratio"],
            ["rounds", "median, rounds drawn singly", "ratio", f"median, {BLOCK} successive rounds together", "ratio"],
            ["runs", "their centre"],
            ["drawn", "at the first look", f"at every look up to {PAIRS} pairs"],
            ["kind of noise", *(f"{rounds} rounds" for rounds in (FEWEST, 8, 15, 20, 40))],
            ["", "share"],
            ["history", "runs per commit", "has a change", "at the step, or beside it"],
            ["equal trainers", "one is named the fastest"],
            ["second run slower by", "pooled"],
        )
    )
    return "\n".join(line for title, rows in sections.items() for line in _table(title, next(headings), rows))


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _table(title: str, headings: list[str], rows: list[tuple[object, ...]]) -> list[str]:
    """Return the lines of a Markdown table, with its title and empty lines."""
    padded = [[str(cell) for cell in (*row, *["-"] * (len(headings) - len(row)))] for row in rows]
    return [f"{title[0].upper()}{title[1:]}:", "", Table("", headings, padded, numbers=True).markdown(), ""]


if __name__ == "__main__":
    text = report()
    (HERE / "figures.md").write_text(text, encoding="utf-8")
    print(text)
