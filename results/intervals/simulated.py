"""Coverage and false alarms on simulated noise, whose true values are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from bench.analysis.crossovers import overtaking
from bench.analysis.timings import JobKey, agree
from bench.analysis.winners import winner
from bench.stats import intervals
from bench.stats.change_points import change_points
from bench.stats.intervals import Sample

Rounds = npt.NDArray[np.float64]
rng = np.random.default_rng(1)

RUNS_DIFFER = 0.02  # standard deviation of the logarithm of a run's median
ROUNDS_DIFFER = 0.01
SIZES = (1, 10, 100, 1000, 10_000)
COMMITS = 30
JOB = JobKey("nielsen", "mnist", "784-30-10", 10, 3.0, "float32", 50_000, 0)


def correlated(n: int, correlation: float) -> Rounds:
    """Return standard normal noise in which neighbours have this correlation."""
    noise = rng.standard_normal(n)
    for i in range(1, n):
        noise[i] = correlation * noise[i - 1] + np.sqrt(1 - correlation**2) * noise[i]
    return noise


# Kinds of noise with a true median of 1. Their spread is so large that the spread of runs, which intervals include, hardly counts.
KINDS: dict[str, Callable[[int], Rounds]] = {
    "lognormal": lambda n: np.exp(0.3 * rng.standard_normal(n)),
    "one round in ten twice as slow": lambda n: np.exp(0.2 * rng.standard_normal(n)) * rng.choice([1, 2], n, p=[0.9, 0.1]) / 1.025,
    "neighbours correlated by 0.3": lambda n: np.exp(0.3 * correlated(n, 0.3)),
    "neighbours correlated by 0.6": lambda n: np.exp(0.3 * correlated(n, 0.6)),
    "10 % drift": lambda n: np.exp(0.01 * rng.standard_normal(n)) * np.linspace(0.95, 1.05, n),
    "a clock with ticks of a tenth of an epoch": lambda n: np.asarray(np.round(np.exp(0.3 * rng.standard_normal(n)), 1), np.float64),
    "identical rounds": lambda n: np.ones(n),
}


def covers(kind: str, rounds: int) -> bool:
    """Draw a run of this kind of noise. Return whether the interval of its median contains the true value."""
    _, low, high = intervals.median(KINDS[kind](rounds))
    return low <= 1 <= high


def run(seconds: float, rounds: int = 10) -> Rounds:
    """Return the rounds of a run of an epoch that takes so long."""
    return seconds * np.exp(RUNS_DIFFER * rng.standard_normal() + ROUNDS_DIFFER * rng.standard_normal(rounds))


def crossing() -> bool | None:
    """Draw two trainers whose epochs take a/m + b and c/m + d at mini-batches of m, and cross within the sizes.

    Return whether the interval of the crossing contains the true one; None if no crossing is found.
    """
    while True:
        b, c, d = 10 ** rng.uniform(-4, -1), 10 ** rng.uniform(0.2, 1.5), 10 ** rng.uniform(-6, -2)
        if b > d and SIZES[0] < (true := (c - 1) / (b - d)) < SIZES[-1]:
            break
    at = overtaking({m: Sample([run(1 / m + b)]).over(Sample([run(c / m + d)])) for m in SIZES})
    return None if at is None else bool(at.low <= true <= at.high)


def equal_trainers_cross() -> bool:
    """Draw two trainers with the same epochs. Return whether they have a crossing, in either direction."""
    one, other = ({m: Sample([run(1 / m + 0.01)]) for m in SIZES} for _ in "ab")
    leads = ({m: slow[m].over(fast[m]) for m in SIZES} for slow, fast in ((one, other), (other, one)))
    return any(overtaking(lead) is not None for lead in leads)


def changes(step: float, runs: int) -> Iterator[bool]:
    """Draw a history with a step at a random commit. Yield whether it has a change, and whether it has one at the step or beside it."""
    at = int(rng.integers(1, COMMITS))
    found = change_points([RUNS_DIFFER * rng.standard_normal(runs) + (step if commit >= at else 0) for commit in range(COMMITS)])
    yield bool(found)
    yield any(abs(commit - at) <= 1 for commit in found)


def names_a_winner(trainers: int) -> bool:
    """Draw equal trainers. Return whether one is named the fastest, rather than tied with others."""
    return not winner({f"trainer {number}": Sample([run(1.0)]) for number in range(trainers)}).level


def pooled(slower: float) -> bool:
    """Draw two runs of three trainers; in the second, all take longer by this fraction. Return whether the runs are pooled."""
    typical = {"a": 1.0, "b": 0.2, "c": 0.05}
    one, other = ({(JOB, name): run(factor * seconds) for name, seconds in typical.items()} for factor in (1, 1 + slower))
    return agree(other, one)
