"""Self-test of the gate on this machine: unchanged code against itself, and against copies slowed by a known share.

The self-test records pairs and draws many trials from them, with replacement. It applies the gate's rule to each trial, where each pair
costs the time that its measurement took.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from bench.gate import planted_slowdowns
from bench.gate.changed_trainers import merge_base
from bench.options import Options
from bench.paired import duel
from bench.paired.checkout import commit
from bench.paired.contender import Contender, contender
from bench.paired.duel import Duel
from bench.paired.pair import Pair
from bench.paired.rule import decide
from bench.system.progress import progress
from bench.system.scratch import scratch_dir
from bench.text.tables import Table
from impls import InputError, locate

LEVELS = (0.02, 0.03, 0.05, 0.10)
RELIABLY = 0.95  # of the trials
_TRIALS = 1000
_KIND = "added-pass"
_NEAR = 0.06  # the slowdown at which a unit's size is measured
_PAIRS = 20  # number of pairs of that measurement


@dataclass(frozen=True)
class Rates:
    """Verdicts on trials of code with a known slowdown.

    slower    the planted slowdown: the code takes 1 + `slower` times as long
    measured  the slowdown that the recorded pairs show
    pairs     the number of recorded pairs
    trials    the number of trials
    words     the share of trials with each verdict
    seconds   the median time of a trial
    """

    slower: float
    measured: float
    pairs: int
    trials: int
    words: dict[str, float]
    seconds: float


def self_test(options: Options, *, base: str | None, margin: float, seconds: float) -> list[Rates]:
    """Record pairs of unchanged code and of each level of slowdown, and return the verdict rates of trials drawn from them.

    options  one workload, and up to one trainer (default: matrix)
    base     the revision to measure; None: the merge base with the main branch
    margin   smallest slowdown to report
    seconds  recording time for each level, and time budget of a trial
    Raises InputError if the options have several trainers or workloads.
    """
    for kind, asked in (("trainer", options.trainers), ("workload", [workload.name for workload in options.workloads])):
        if len(asked) > 1:
            raise InputError("--self-test", f"takes one {kind}, not {len(asked)} ({', '.join(asked)})")
    trainer = options.trainers[0] if options.trainers else "matrix"
    locate(trainer)
    revision = commit(base) if base else merge_base()
    with scratch_dir() as directory:
        one, other = (contender(f"{trainer}@{revision[:12]}", directory / name) for name in ("base", "head"))
        progress("verifying")
        match = duel.prepare(
            one, other, options.workloads[0], options.splits(), directory, threads=options.threads or duel.THREADS, seconds=seconds
        )
        progress("measuring the slowdown to plant")
        nothing, unit = shares(match, trainer, "_epoch", _KIND)
        rates = []
        for level in (0.0, *LEVELS):
            subject = with_planted(match, trainer, "_epoch", _KIND, (level - nothing) / unit) if level else match
            recorded: list[Pair] = []
            for pair in subject.pairs():
                recorded.append(pair)
                progress(f"{level:.0%} slower: pair {len(recorded)}")
                if sum(pair.seconds for pair in recorded) > seconds:
                    break
            rates.append(resample(recorded, slower=level, margin=margin, seconds=seconds))
        return rates


def shares(match: Duel, trainer: str, method: str, kind: str) -> tuple[float, float]:
    """Return the slowdown, as a share of b's epoch, of an empty wrapper around the method, and of each planted unit per call."""
    nothing, units, slope = 0.0, 1.0, 0.0
    for pairs in (3, 3, 3, _PAIRS):
        slope = max(_slowed_by(match, trainer, method, kind, units, pairs), 1e-4) / units
        units = min(_NEAR / slope, 100 * units)
    nothing = _slowed_by(match, trainer, method, kind, 0.0, _PAIRS)
    return nothing, slope - nothing * slope / _NEAR


def _slowed_by(match: Duel, trainer: str, method: str, kind: str, units: float, pairs: int) -> float:
    slowed = with_planted(match, trainer, method, kind, units)
    return float(np.expm1(np.median([pair.log_ratio for pair in islice(slowed.pairs(), pairs)])))


def with_planted(match: Duel, trainer: str, method: str, kind: str, units: float) -> Duel:
    """Return the duel with a slowed copy of b as its contender a."""
    slowed: Contender = replace(match.b, source=match.a.source, name=f"{trainer} + {kind}", trainer="bench.gate.planted_slowdowns:Planted")
    return replace(match, a=replace(slowed, env=planted_slowdowns.variable(trainer, method, kind, units)))


def resample(recorded: Sequence[Pair], *, slower: float, margin: float, seconds: float, trials: int = _TRIALS) -> Rates:
    """Draw trials from the recorded pairs, apply the gate's rule to each, and return the verdict rates."""
    rng = np.random.default_rng(0)

    def drawn() -> Iterator[Pair]:
        while True:
            yield recorded[int(rng.integers(len(recorded)))]

    words: dict[str, float] = {}
    taken = []
    for _ in range(trials):
        word, _, stages = decide(drawn(), margin=margin, seconds=seconds)
        words[word] = words.get(word, 0) + 1 / trials
        taken.append(sum(pair.seconds for pairs in stages.values() for pair in pairs))
    measured = float(np.expm1(np.median([pair.log_ratio for pair in recorded])))
    return Rates(slower, measured, len(recorded), trials, words, float(np.median(taken)))


def table(rates: Sequence[Rates]) -> Table:
    """Return the rates as a table, with the rate of false alarms and the smallest reliably detected slowdown."""
    words = ("slower", "not slower", "undecided")
    rows = [
        (
            f"{rate.slower:.0%}",
            f"{rate.measured:.1%}",
            str(rate.pairs),
            *(f"{rate.words.get(word, 0.0):.1%}" for word in words),
            f"{rate.seconds:.0f} s",
        )
        for rate in rates
    ]
    unchanged = rates[0]
    reliably_found = [rate.slower for rate in rates if rate.slower and rate.words.get("slower", 0.0) >= RELIABLY]
    smallest = (
        f"{min(reliably_found):.0%}" if reliably_found else f"none of {', '.join(f'{rate.slower:.0%}' for rate in rates if rate.slower)}"
    )
    notes = [
        "",
        f"false alarms: {unchanged.words.get('slower', 0.0):.2%} of {unchanged.trials:,} trials drawn from {unchanged.pairs} pairs",
        f"smallest slowdown detected in at least {RELIABLY:.0%} of the trials: {smallest}",
    ]
    headings = ("planted", "measured", "pairs", "called slower", *words[1:], "median time")
    return Table("", headings, rows, notes, numbers=True)
