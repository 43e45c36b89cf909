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
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.machine import affinity
from bench.paired.contender import Contender, ContenderError
from bench.paired.job_size import short_rounds
from bench.paired.memory_layout import MemoryLayout
from bench.paired.pair import Pair, ratio_error
from bench.paired.worker_client import Worker
from bench.verify.contract import ContractError
from bench.verify.epoch_job import EpochJob
from bench.verify.rounding import beyond_rounding, describe
from bench.verify.verification import steps, steps_oracle, whole_epoch
from bench.workload import Workload
from impls import Network, Splits

READY = 120.0  # timeout in seconds for loading libraries and compiling
THREADS = 1  # by default: one thread is less noisy, and most slowdowns appear with one thread too
ROUNDS = range(6, 41)  # per pair, an even number
_PRECISE = 0.01  # standard error of a pair's log_ratio, below which it needs no more rounds
_SHARE, _SECONDS = 1 / 45, 2.0  # a pair's rounds end after this share of the time budget, or after these seconds
STEPS = "steps.npz"  # the verification job, in the duel's directory


@dataclass(frozen=True)
class Duel:
    """Two verified contenders on one job. `prepare` makes one.

    title        one line that describes the job
    size         why the job has so many examples; empty: the user chose the number
    start        the initial network of each epoch
    patience     timeout of a request in seconds
    enough       seconds of rounds after which a pair ends, however noisy they are: several pairs must fit into the time budget
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
    facts: Mapping[str, dict[str, Any]]
    left_behind: Mapping[str, set[str]]

    def pairs(self) -> Iterator[Pair]:
        """Measure and yield pairs endlessly. Raises ContenderError if a contender fails."""
        for number in itertools.count():
            yield self._pair(check_speed=not number)

    def _pair(self, *, check_speed: bool) -> Pair:
        begin = time.monotonic()
        with ExitStack() as stack:
            workers: dict[str, Worker] = {}
            layout = MemoryLayout.random()
            for name, contender in random.sample([("a", self.a), ("b", self.b)], 2):
                workers[name] = stack.enter_context(Worker(contender, self.job, self.threads, layout))
            for worker in workers.values():
                worker.reply(READY)
            for worker in workers.values():
                worker.epoch(self.patience)  # warm-up: touches memory and fills caches
                worker.suspend()
            order, seconds = self._rounds(workers)
            self._check(workers, speed=check_speed)
        for name, left in self.left_behind.items():
            left.update(workers[name].left_behind)
        return Pair(tuple(seconds["a"]), tuple(seconds["b"]), order, time.monotonic() - begin)

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
    The oracle is the float64 `loop` of b's code, because b is the base of a comparison.
    If the workload does not set the number of examples, `short_rounds` chooses it.
    Raises ContenderError if one cannot run or computes a wrong result; checks b before a.
    """
    threads, patience = affinity.limit_threads(threads), min(60.0, max(5.0, seconds))
    facts = _verify({"b": b, "a": a}, workload, splits, directory, threads, patience)
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
    return Duel(a, b, title, size, job, network, threads, patience, min(_SHARE * seconds, _SECONDS), facts, {"a": set(), "b": set()})


def _verify(
    contenders: Mapping[str, Contender], workload: Workload, splits: Splits, directory: Path, threads: int, patience: float
) -> dict[str, dict[str, Any]]:
    """Verify the contenders, in the workload's dtype and in float64, and return the facts of each.

    Raises ContenderError if one cannot run or computes a wrong result. A trainer may be unsupported in float64.
    """
    short = steps(workload, splits)
    facts: dict[str, dict[str, Any]] = {}
    results: list[tuple[Contender, str, Network]] = []
    for name, contender in contenders.items():
        for dtype in dict.fromkeys((workload.dtype, "float64")):
            try:
                with Worker(contender, short.astype(dtype).write(directory / "verify.npz"), threads) as worker:
                    facts.setdefault(name, worker.reply(READY))
                    worker.epoch(patience)
                    results.append((contender, dtype, worker.network(directory / "result.npz", patience)))
            except ContenderError as error:
                if not error.absent or dtype == workload.dtype:
                    raise
    short.write(directory / STEPS)
    base = contenders["b"]
    with _blamed(base):
        oracle = steps_oracle(workload, splits, partial(_trained, base, directory, threads), whose=f" of {base.code}")
    for contender, dtype, result in results:
        with _blamed(contender):
            (oracle.error if dtype == workload.dtype else oracle.double_error)(result)
    return facts


def start(contender: Contender, directory: Path, threads: int) -> None:
    """Start a contender on the verification job of a duel in that directory. Raises ContenderError if it does not start."""
    with Worker(contender, directory / STEPS, threads) as worker:
        worker.reply(READY)


@contextmanager
def _blamed(contender: Contender) -> Iterator[None]:
    """Turn a ContractError into a ContenderError of the contender."""
    try:
        yield
    except ContractError as error:
        raise ContenderError(contender, str(error)) from error


def _trained(base: Contender, directory: Path, threads: int, trainer: str, job: EpochJob) -> Network:
    """Train a job with a trainer of the base's impls/, under this interpreter, and return the network."""
    oracle = replace(base, name=f"{trainer} of {base.code}", trainer=trainer, python=sys.executable, env={})
    with Worker(oracle, job.write(directory / "oracle.npz"), threads) as worker:
        worker.reply(READY)
        worker.request(do="epoch")
        worker.reply(READY)
        return worker.network(directory / "answer.npz", READY)


def _epochs(contenders: Iterable[Contender], job: Path, threads: int, patience: float) -> float:
    """Return the summed seconds of one epoch of each contender."""
    seconds = 0.0
    for contender in contenders:
        with Worker(contender, job, threads) as worker:
            worker.reply(READY)
            worker.epoch(patience)
            seconds += worker.epoch(patience)
    return seconds
