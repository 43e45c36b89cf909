"""How often the 95 % intervals hold the truth, on noise that was recorded: figures.md, in two minutes.

    python results/intervals/study.py

The truth is known because the noise is drawn from what was recorded: the median of that is what an interval has to hold.
"""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

from bench import records  # noqa: E402 (the checkout's own, wherever this is run)
from bench.paired.pair import Pair  # noqa: E402
from bench.paired.sequential import interim_looks  # noqa: E402
from bench.stats import intervals  # noqa: E402
from bench.stats.intervals import FEWEST, Interval, Sample  # noqa: E402
from bench.text.tables import Table  # noqa: E402
from results.gate.study import recorded_pairs  # noqa: E402

TRIALS = 4000  # a share of 95 % is then unsure by 0.3 %, one standard deviation
LONG = 28  # rounds, of which any number can be drawn
BLOCK = 5  # successive rounds that are drawn together, so that neighbours resemble each other as they do on the machine
SPANS = ((0.0, 0.05), (0.05, 0.13), (0.13, 0.25), (0.25, 2.0))  # seconds of an epoch
ALONE = 0.25  # from here on neighbours do not resemble each other
PAIRS = 60  # as many as a duel's time allows, about

Times = npt.NDArray[np.float64]
rng = np.random.default_rng(0)


def recorded() -> list[Times]:
    """The rounds of every recorded case, in their order; but those that drifted, whose rounds have no one truth."""
    from bench.analysis import noise

    table = records.read(records.files([ROOT / "results"]))
    drifted = {(one.run_id, one.workload, one.trainer) for one in noise.detect(table)}
    cases = table[table["kind"] == "timing"].groupby(["run_id", "workload", "trainer"])
    return [rows.sort_values("round")["seconds"].to_numpy() for case, rows in cases if case not in drifted]


def processes() -> list[Times]:
    """The rounds of every recorded process of unchanged code: processes differ by where their memory came to lie."""
    return [side for pair in unchanged() for side in (np.array(pair.a), np.array(pair.b))]


def unchanged() -> list[Pair]:
    """The recorded pairs of processes of the same code, in their order."""
    return recorded_pairs()["none", 0.0, ""]


def resemblance(series: Times) -> float:
    """The correlation of a round with the next one. A sample shows it too small, by (1 + 3 r) / n."""
    r = float(np.corrcoef(series[:-1], series[1:])[0, 1])
    return r + (1 + 3 * r) / len(series)


def drawn(series: Times, rounds: int, block: int) -> Times:
    """Rounds drawn from a series in blocks of successive ones."""
    starts = rng.integers(len(series) - block + 1, size=-(-rounds // block))
    return np.concatenate([series[start : start + block] for start in starts])[:rounds]


def coverage(trial: Callable[[], tuple[Interval, float]], trials: int) -> float:
    """The share of trials in which the interval holds the truth."""
    return float(np.mean([interval.low <= truth <= interval.high for interval, truth in (trial() for _ in range(trials))]))


def one_run(cases: list[Times], rounds: int | None, block: int) -> tuple[Interval, float]:
    """The median of a run, of so many rounds or as many as the case had; truth: that of the series it was drawn from."""
    series = cases[rng.integers(len(cases))]
    return intervals.median(drawn(series, rounds or len(series), block)), float(np.median(series))


def two_runs(cases: list[Times], rounds: int | None, block: int) -> tuple[Interval, float]:
    """The ratio of two runs' medians."""
    one, other = (cases[i] for i in rng.integers(len(cases), size=2))
    ratio = intervals.ratio(drawn(one, rounds or len(one), block), drawn(other, rounds or len(other), block))
    return ratio, float(np.median(one) / np.median(other))


def pooled(runs: list[Times], truth: float, count: int) -> tuple[Interval, float]:
    """The centre of several runs of the same code, each as it was; truth: the median of all runs' medians."""
    return Sample([runs[i] for i in rng.integers(len(runs), size=count)]).interval(), truth


def looked_at(log_ratios: Times) -> list[Interval]:
    """The intervals of a duel at each of its looks, on pairs with these log-ratios."""
    pairs = [Pair((float(ratio),), (1.0,), "a", 1.0) for ratio in np.exp(log_ratios)]
    return [interval for _, interval in interim_looks(pairs, seconds=math.inf)]


def report(trials: int = TRIALS) -> str:
    """Return figures.md; each share is of so many trials."""
    cases = recorded()
    long = [series for series in cases if len(series) >= LONG]
    sections = defaultdict(list)
    for least, most in SPANS:
        group = [series for series in cases if least <= np.median(series) < most and len(series) >= 8]
        block = 1 if least >= ALONE else BLOCK
        sections["as the bench takes them, every case with its own number of rounds"].append(
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
    headings = iter(
        (
            ["an epoch takes", "cases", "rounds", "correlation of neighbours", "drawn together", "median", "ratio"],
            ["rounds", "median, rounds drawn singly", "ratio", f"median, {BLOCK} successive rounds together", "ratio"],
            ["runs", "their centre"],
            ["drawn", "at the first look", f"at every look up to {PAIRS} pairs"],
        )
    )
    return "\n".join(line for title, rows in sections.items() for line in _table(title, next(headings), rows))


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _table(title: str, headings: list[str], rows: list[tuple[object, ...]]) -> list[str]:
    """Return a Markdown table's lines, with a title and an empty one."""
    padded = [[str(cell) for cell in (*row, *["-"] * (len(headings) - len(row)))] for row in rows]
    return [f"{title[0].upper()}{title[1:]}:", "", Table("", headings, padded, numbers=True).markdown(), ""]


if __name__ == "__main__":
    text = report()
    (HERE / "figures.md").write_text(text, encoding="utf-8")
    print(text)
