"""Duels: two contenders in fresh processes with alternating epochs.

The epoch times of two processes of the same code differ by about one percent as long as the processes live, because their memory
layouts differ. Within a process, the time drifts with the machine. So the unit of measurement is the pair: one new process of each
contender, and some rounds in which each trains one epoch, in random order. A disturbance affects both epochs of a round, and the
differences between processes average out over the pairs. While one process trains, the other is suspended, because idle threads of a
runtime may spin on its processors.

On a quiet machine a few rounds are enough: new processes reduce the error more than further rounds do. On a busy one, rounds differ by
tens of percent, and a pair goes on until their median is known to 1 %. On a busy virtual machine, the ratios of pairs of 6 rounds had a
spread of 3.4 %. With up to 40 rounds the spread was 0.6 %, and a pair took 2.5 times as long.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.machine import affinity
from bench.paired.contender import Contender, ContenderError
from bench.paired.job_size import short_rounds
from bench.paired.memory_layout import MemoryLayout
from bench.paired.pair import Pair, ratio_error
from bench.paired.referee import READY, Referee
from bench.paired.worker_client import Worker
from bench.verify.rounding import beyond_rounding, describe
from bench.verify.verification import whole_epoch
from bench.workload import Workload
from impls import Network, Splits

THREADS = 1  # by default: one thread is less noisy, and most slowdowns appear with one thread too
ROUNDS = range(6, 41)  # per pair, an even number
_PRECISE = 0.01  # standard error of a pair's log_ratio, below which it needs no more rounds
_SHARE, _SECONDS = 1 / 45, 2.0  # a pair's rounds end after this share of the time budget, or after these seconds


@dataclass(frozen=True)
class Duel:
    """Two verified contenders on one job. `prepare` makes one.

    title        one line that describes the job
    size         why the job has so many examples; empty: the user chose the number
    start        the initial network of each epoch
    patience     timeout of a request in seconds
    enough       seconds of rounds after which a pair ends, however noisy they are: several pairs must fit into the time budget
    referee      verified them
    facts        for "a" and "b": versions, BLAS kernels, threads
    left_behind  for "a" and "b": names of child processes that outlived the worker and were killed
    """

    a: Contender
    b: Contender
    title: str
    size: str
    job: Path
    start: Network
    threads: int
    patience: float
    enough: float
    referee: Referee
    facts: Mapping[str, dict[str, Any]]
    left_behind: Mapping[str, set[str]]

    def pairs(self) -> Iterator[Pair]:
        """Measure and yield pairs endlessly. Raises ContenderError if a contender fails."""
        for number in itertools.count():
            yield self._pair(check_speed=not number)

    def of(self, a: Contender, b: Contender, facts: Mapping[str, dict[str, Any]]) -> Duel:
        """Return a duel of other contenders, which the referee has verified, on the same job. facts: what `verify` returned"""
        return replace(self, a=a, b=b, facts=facts, left_behind={"a": set(), "b": set()})

    def _pair(self, *, check_speed: bool) -> Pair:
        begin = time.monotonic()
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            layout = MemoryLayout.random()
            for name, contender in random.sample([("a", self.a), ("b", self.b)], 2):
                workers[name] = stack.enter_context(Worker(contender, self.job, self.threads, layout))
            for worker in workers.values():
                worker.facts(READY)
            for worker in workers.values():
                worker.epoch(self.patience)  # warm-up: touches memory and fills caches
                worker.suspend()
            order, seconds = self._rounds(workers)
            self._check(workers, speed=check_speed)
        for name, left in self.left_behind.items():
            left.update(workers[name].left_behind)
        starts = workers["a"].start_seconds, workers["b"].start_seconds
        return Pair(tuple(seconds["a"]), tuple(seconds["b"]), order, time.monotonic() - begin, *starts)

    def _rounds(self, workers: Mapping[str, Worker]) -> tuple[str, dict[str, list[float]]]:
        """Train epochs in turn. Return for each round the contender that trained first, and the seconds of both contenders' epochs."""
        order, seconds = "", {"a": list[float](), "b": list[float]()}
        begin = time.monotonic()
        while len(order) < ROUNDS[-1]:
            if len(order) >= ROUNDS[0] and (ratio_error(seconds["a"], seconds["b"]) < _PRECISE or time.monotonic() - begin > self.enough):
                break
            for first in random.choice(("ab", "ba")):
                order += first
                for name in (first, "b" if first == "a" else "a"):
                    workers[name].resume()
                    seconds[name].append(workers[name].epoch(self.patience))
                    workers[name].suspend()
        return order, seconds

    def _check(self, workers: Mapping[str, Worker], *, speed: bool) -> None:
        """Raise ContenderError if a contender broke its contract, or the contenders' results differ by more than rounding."""
        results: dict[str, Network] = {}
        for name, worker in workers.items():
            worker.resume()
            results[name] = worker.network(self._file(name), self.patience)
            worker.check(READY, speed=speed)
        again = partial(workers["b"].perturbed, self._file("b"), self.patience)
        if far := beyond_rounding(results["a"], results["b"], self.start, again):
            raise ContenderError(self.a, f"result differs from that of {self.b.name} during timing: {describe(*far)}")

    def _file(self, name: str) -> Path:
        return self.job.with_name(f"{name}.npz")


def prepare(a: Contender, b: Contender, workload: Workload, splits: Splits, directory: Path, *, threads: int, seconds: float) -> Duel:
    """Verify both contenders, write their job into the directory, and return the duel.

    threads  as for `affinity.limit_threads`
    seconds  time budget of the duel; the timeout of a request is this budget, limited to 5 to 60 s
    If the workload does not set the number of examples, `short_rounds` chooses it.
    Raises ContenderError if one cannot run or computes a wrong result; checks b before a.
    """
    threads, patience = affinity.limit_threads(threads), min(60.0, max(5.0, seconds))
    referee = Referee(b, workload, splits, directory, threads, patience)
    facts = {"b": referee.verify(b), "a": referee.verify(a)}
    job, size = directory / "job.npz", ""
    if workload.examples is None:
        most = len(workload.data(splits))
        workload = short_rounds(workload, splits, lambda: _epochs((a, b), job, threads, patience), job)
        size = f"{workload.examples:,} of {most:,} examples, so that many pairs fit into the time; --examples N sets the number"
    else:
        whole_epoch(workload, splits).write(job)
    data = workload.data(splits)
    network = workload.network(data)
    title = workload.title(network.layers, len(data))
    enough, left = min(_SHARE * seconds, _SECONDS), {"a": set[str](), "b": set[str]()}
    return Duel(a, b, title, size, job, network, threads, patience, enough, referee, facts, left)


def _epochs(contenders: Iterable[Contender], job: Path, threads: int, patience: float) -> float:
    """Return the summed seconds of one epoch of each contender."""
    seconds = 0.0
    for contender in contenders:
        with Worker(contender, job, threads) as worker:
            worker.facts(READY)
            worker.epoch(patience)
            seconds += worker.epoch(patience)
    return seconds
