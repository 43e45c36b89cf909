"""Two contenders on this machine now: fresh processes, interleaved epochs, a ratio with an interval.

Between two processes of the same code the time of an epoch differs by a percent, for good: where their memory came to lie
decides it. Within a process it drifts with the machine. So the unit is the pair: one new process of each contender, and a few
rounds in which each trains an epoch, in an order thrown anew. What disturbs a round disturbs both, and what the processes
were dealt at their start averages out over the pairs. While one trains, the other is stopped: a runtime's idle threads
would spin on its processors.
"""

from __future__ import annotations

import itertools
import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.machine import affinity
from bench.paired.contender import Contender
from bench.paired.memory_layout import Layout
from bench.paired.worker_client import ContenderError, Process
from bench.stats import intervals
from bench.stats.intervals import Interval
from bench.verify.epoch_job import Job
from bench.verify.oracle import ContractError, Oracle, apart, check_finite, check_repeats, steps, told
from bench.workload import Workload
from impls import Network, Splits

READY = 120.0  # seconds in which a contender must have loaded its libraries and compiled what it compiles
ROUNDS = 6  # a pair. More tell little: pairs differ from one another by more than the median over rounds is unsure
STEPS = "steps.npz"  # in a duel's directory, the job by which the contenders are verified
_ROUND_SECONDS = 0.04  # of both epochs together. Longer: fewer pairs in the time; shorter: the clock of the machine shows
_FIRST_LOOK = 8  # pairs; with fewer than 7 no interval has both ends, and with 7 they are the least and the largest ratio
_MORE = 1.5  # times as many pairs at the next look


@dataclass(frozen=True)
class Pair:
    """The rounds of one process of each contender.

    a, b     seconds of each one's epochs, round by round
    order    for each round who came first, "a" or "b"
    seconds  that the pair took in all
    """

    a: tuple[float, ...]
    b: tuple[float, ...]
    order: str
    seconds: float

    @property
    def log_ratio(self) -> float:
        """The median over the rounds of log(a's time / b's)."""
        return float(np.median(np.log(self.a) - np.log(self.b)))


@dataclass(frozen=True)
class Duel:
    """Two contenders, verified, on one job. Make one with `prepare`.

    title        the job in a line
    start        where each epoch of it begins
    facts        of "a" and "b", what each runs on: versions, BLAS kernels, threads
    left_behind  of "a" and "b", the names of processes that it left and that had to be killed
    """

    a: Contender
    b: Contender
    title: str
    job: Path
    start: Network
    threads: int
    patience: float
    facts: Mapping[str, dict[str, Any]]
    left_behind: Mapping[str, set[str]]

    def pairs(self) -> Iterator[Pair]:
        """Measure pair after pair, without end. Raises ContenderError when a contender fails."""
        while True:
            yield self._pair()

    def _pair(self) -> Pair:
        begin = time.monotonic()
        with ExitStack() as stack:
            processes: dict[str, Process] = {}
            firsts: dict[str, Network] = {}
            layout = Layout.thrown()
            for name, contender in random.sample([("a", self.a), ("b", self.b)], 2):
                processes[name] = stack.enter_context(Process(contender, self.job, self.threads, layout))
            for process in processes.values():
                process.reply(READY)
            for name, process in processes.items():
                process.first_epoch(self.patience)  # it touches memory and fills caches
                firsts[name] = process.network(self._file(name), self.patience)
                process.sleep()
            order = "".join(random.choice(("ab", "ba")) for _ in range(math.ceil(ROUNDS / 2)))[:ROUNDS]  # AB BA or BA AB
            seconds: dict[str, list[float]] = {"a": [], "b": []}
            for first in order:
                for name in (first, "b" if first == "a" else "a"):
                    process = processes[name]
                    process.wake()
                    seconds[name].append(process.epoch(self.patience))
                    process.sleep()
            self._check(processes, firsts)
        for name, left in self.left_behind.items():
            left.update(processes[name].left_behind)
        return Pair(tuple(seconds["a"]), tuple(seconds["b"]), order, time.monotonic() - begin)

    def _check(self, processes: Mapping[str, Process], firsts: Mapping[str, Network]) -> None:
        """Raise ContenderError if one's last epoch did not end where its first did, or the two not where the other did."""
        lasts: dict[str, Network] = {}
        for name, process in processes.items():
            process.wake()
            last = lasts[name] = process.network(self._file(name), self.patience)
            with _blamed(process.contender):
                check_finite(last)
                check_repeats(firsts[name], last, self.start, self._shaken(process, name))
        if far := apart(lasts["a"], lasts["b"], self.start, self._shaken(processes["b"], "b")):
            raise ContenderError(self.a, f"computes something else than {self.b.name} while it is timed: {told(*far)}")

    def _shaken(self, process: Process, name: str) -> Callable[[], Network]:
        return partial(process.shaken, self._file(name), self.patience)

    def _file(self, name: str) -> Path:
        return self.job.with_name(f"{name}.npz")


def prepare(
    a: Contender, b: Contender, workload: Workload, splits: Splits, directory: Path, *, threads: int | None, seconds: float
) -> Duel:
    """Verify both contenders, write their job into the directory, and return the duel.

    threads  as for `processors.hold`
    seconds  that the whole may take; a contender whose epoch takes so long, or a minute, is taken to hang
    The right answer is that of b's code, the base of a comparison: its `loop`, in float64.
    A workload that does not say how many examples gets as many as make a short round.
    Raises ContenderError, naming it, if one cannot run or computes something else; b before a.
    """
    threads, patience = affinity.hold(threads), min(60.0, max(5.0, seconds))
    short = steps(workload, splits).write(directory / STEPS)
    facts, results = {}, {}
    for name, contender in (("b", b), ("a", a)):
        with Process(contender, short, threads) as process:
            facts[name] = process.reply(READY)
            process.epoch(patience)
            results[name] = process.network(directory / "result.npz", patience)
    with _blamed(b):
        oracle = Oracle(workload, splits, partial(_trained, b, directory, threads), whose=f" of {b.code}")
    for name, contender in (("b", b), ("a", a)):
        with _blamed(contender):
            oracle.error(results[name])
    job = directory / "job.npz"
    if workload.examples is None:
        workload = _short_rounds(workload, splits, lambda: _epochs((a, b), job, threads, patience), job)
    else:
        _write_job(workload, splits, job)
    data = workload.data(splits)
    network = workload.network(data)
    title = workload.title(network.layers, len(data))
    return Duel(a, b, title, job, network, threads, patience, facts, {"a": set(), "b": set()})


def start(contender: Contender, directory: Path, threads: int) -> None:
    """Start a contender on the steps by which a duel in that directory verifies it. Raises ContenderError if it cannot run them."""
    with Process(contender, directory / STEPS, threads) as process:
        process.reply(READY)


@contextmanager
def _blamed(contender: Contender) -> Iterator[None]:
    """Raise a broken contract as the contender's failure."""
    try:
        yield
    except ContractError as error:
        raise ContenderError(contender, str(error)) from error


def _trained(base: Contender, directory: Path, threads: int, trainer: str, job: Job) -> Network:
    """Return where a job leads with a trainer of the base's impls/, under this interpreter."""
    oracle = replace(base, name=f"{trainer} of {base.code}", trainer=trainer, python=sys.executable, env={})
    with Process(oracle, job.write(directory / "oracle.npz"), threads) as process:
        process.reply(READY)
        process.request(do="epoch")
        process.reply(READY)
        return process.network(directory / "answer.npz", READY)


def looks(pairs: Iterable[Pair], seconds: float) -> Iterator[tuple[list[Pair], Interval]]:
    """Yield the pairs so far with the interval of their median ratio, a over b, whenever they have become half as many again,
    and a last time when the next pair would not end within the seconds. The interval holds however often it is looked at.
    """
    found: list[Pair] = []
    spent, longest, number, due = 0.0, 0.0, 1, _FIRST_LOOK
    for pair in pairs:
        found.append(pair)
        spent, longest = spent + pair.seconds, max(longest, pair.seconds)
        late = spent + longest > seconds
        if len(found) >= due or late:
            yield found, look(found, number)
            number, due = number + 1, math.ceil(len(found) * _MORE)
        if late:
            return


def keeping(pairs: Iterable[Pair], kept: list[Pair]) -> Iterator[Pair]:
    """Yield the pairs, and put each into the list first, where it stays if the next one cannot be measured."""
    for pair in pairs:
        kept.append(pair)
        yield pair


def look(pairs: Sequence[Pair], number: int) -> Interval:
    """Return the median ratio of the pairs, a over b, as it is seen at the look of that number, counted from 1."""
    logs = intervals.watched([pair.log_ratio for pair in pairs], number)
    return Interval(*map(math.exp, logs)) if logs.known else logs._replace(value=math.exp(logs.value))


def _short_rounds(workload: Workload, splits: Splits, round_seconds: Callable[[], float], job: Path) -> Workload:
    """Write a job of as many examples as make a round of the wished length, and return its workload."""
    most, batch = len(workload.data(splits)), workload.batch_size
    least = min(2 * batch, most)
    examples = min(max(least, 500), most)
    for _ in range(4):  # a first guess from few examples overrates what an epoch costs once
        _write_job(replace(workload, examples=examples), splits, job)
        wished = examples * _ROUND_SECONDS / round_seconds()
        if 0.7 < wished / examples < 1.4:
            break
        before, examples = examples, int(min(max(wished // batch * batch, least), most))
        if examples == before:
            break
    found = replace(workload, examples=examples)
    _write_job(found, splits, job)
    return found


def _epochs(contenders: Iterable[Contender], job: Path, threads: int, patience: float) -> float:
    """Return the seconds of an epoch of each, added up."""
    seconds = 0.0
    for contender in contenders:
        with Process(contender, job, threads) as process:
            process.reply(READY)
            process.epoch(patience)
            seconds += process.epoch(patience)
    return seconds


def _write_job(workload: Workload, splits: Splits, path: Path) -> None:
    data = workload.data(splits)
    Job(workload.network(data), data, data.order(seed=workload.seed), workload.batch_size, workload.learning_rate).write(path)


@dataclass(frozen=True)
class Round:
    """A row of the CSV of a duel: one epoch of each. `first` trained first; `pair_seconds` is what the whole pair took."""

    run_id: str
    machine: str
    job: str
    threads: int
    a: str
    b: str
    stage: str
    pair: int
    round: int
    first: str
    a_seconds: float
    b_seconds: float
    pair_seconds: float


def rows(duel: Duel, stages: Mapping[str, list[Pair]], *, run_id: str, machine: str) -> list[Round]:
    """Return the rounds of the pairs of each stage, numbered from 1."""
    sides = f"{duel.a.name} ({duel.a.code})", f"{duel.b.name} ({duel.b.code})"
    return [
        Round(run_id, machine, duel.title, duel.threads, *sides, stage, number, turn, first, a, b, pair.seconds)
        for stage, pairs in stages.items()
        for number, pair in enumerate(pairs, start=1)
        for turn, (first, a, b) in enumerate(zip(pair.order, pair.a, pair.b, strict=True), start=1)
    ]


def merged(pairs: Iterable[Pair], name: str) -> list[float]:
    """Return all seconds of one side, "a" or "b"."""
    return list(itertools.chain.from_iterable(getattr(pair, name) for pair in pairs))
