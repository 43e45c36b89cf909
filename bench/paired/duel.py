"""Two contenders on this machine now: fresh processes, interleaved epochs, a ratio with an interval.

Between two processes of the same code the time of an epoch differs by a percent, for good: where their memory came to lie
decides it. Within a process it drifts with the machine. So the unit is the pair: one new process of each contender, and a few
rounds in which each trains an epoch, in an order thrown anew. What disturbs a round disturbs both, and what the processes
were dealt at their start averages out over the pairs. While one trains, the other is stopped: a runtime's idle threads
would spin on its processors.
"""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench.machine import affinity
from bench.paired.contender import Contender, ContenderError
from bench.paired.job_size import short_rounds, write_job
from bench.paired.memory_layout import MemoryLayout
from bench.paired.pair import Pair
from bench.paired.worker_client import Worker
from bench.verify.contract import ContractError, check_finite, check_repeats
from bench.verify.epoch_job import EpochJob
from bench.verify.oracle import Oracle, steps
from bench.verify.rounding import beyond_rounding, describe
from bench.workload import Workload
from impls import Network, Splits

READY = 120.0  # seconds in which a contender must have loaded its libraries and compiled what it compiles
ROUNDS = 6  # a pair. More tell little: pairs differ from one another by more than the median over rounds is unsure
STEPS = "steps.npz"  # in a duel's directory, the job by which the contenders are verified


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
            workers: dict[str, Worker] = {}
            firsts: dict[str, Network] = {}
            layout = MemoryLayout.random()
            for name, contender in random.sample([("a", self.a), ("b", self.b)], 2):
                workers[name] = stack.enter_context(Worker(contender, self.job, self.threads, layout))
            for worker in workers.values():
                worker.reply(READY)
            for name, worker in workers.items():
                worker.first_epoch(self.patience)  # it touches memory and fills caches
                firsts[name] = worker.network(self._file(name), self.patience)
                worker.suspend()
            order = "".join(random.choice(("ab", "ba")) for _ in range(math.ceil(ROUNDS / 2)))[:ROUNDS]  # AB BA or BA AB
            seconds: dict[str, list[float]] = {"a": [], "b": []}
            for first in order:
                for name in (first, "b" if first == "a" else "a"):
                    worker = workers[name]
                    worker.resume()
                    seconds[name].append(worker.epoch(self.patience))
                    worker.suspend()
            self._check(workers, firsts)
        for name, left in self.left_behind.items():
            left.update(workers[name].left_behind)
        return Pair(tuple(seconds["a"]), tuple(seconds["b"]), order, time.monotonic() - begin)

    def _check(self, workers: Mapping[str, Worker], firsts: Mapping[str, Network]) -> None:
        """Raise ContenderError if one's last epoch did not end where its first did, or the two not where the other did."""
        lasts: dict[str, Network] = {}
        for name, worker in workers.items():
            worker.resume()
            last = lasts[name] = worker.network(self._file(name), self.patience)
            with _blamed(worker.contender):
                check_finite(last)
                check_repeats(firsts[name], last, self.start, self._perturbed(worker, name))
        if far := beyond_rounding(lasts["a"], lasts["b"], self.start, self._perturbed(workers["b"], "b")):
            raise ContenderError(self.a, f"computes something else than {self.b.name} while it is timed: {describe(*far)}")

    def _perturbed(self, worker: Worker, name: str) -> Callable[[], Network]:
        return partial(worker.perturbed, self._file(name), self.patience)

    def _file(self, name: str) -> Path:
        return self.job.with_name(f"{name}.npz")


def prepare(
    a: Contender, b: Contender, workload: Workload, splits: Splits, directory: Path, *, threads: int | None, seconds: float
) -> Duel:
    """Verify both contenders, write their job into the directory, and return the duel.

    threads  as for `affinity.limit_threads`
    seconds  that the whole may take; a contender whose epoch takes so long, or a minute, is taken to hang
    The right answer is that of b's code, the base of a comparison: its `loop`, in float64.
    A workload that does not say how many examples gets as many as make a short round.
    Raises ContenderError, naming it, if one cannot run or computes something else; b before a.
    """
    threads, patience = affinity.limit_threads(threads), min(60.0, max(5.0, seconds))
    short = steps(workload, splits).write(directory / STEPS)
    facts, results = {}, {}
    for name, contender in (("b", b), ("a", a)):
        with Worker(contender, short, threads) as worker:
            facts[name] = worker.reply(READY)
            worker.epoch(patience)
            results[name] = worker.network(directory / "result.npz", patience)
    with _blamed(b):
        oracle = Oracle(workload, splits, partial(_trained, b, directory, threads), whose=f" of {b.code}")
    for name, contender in (("b", b), ("a", a)):
        with _blamed(contender):
            oracle.error(results[name])
    job = directory / "job.npz"
    if workload.examples is None:
        workload = short_rounds(workload, splits, lambda: _epochs((a, b), job, threads, patience), job)
    else:
        write_job(workload, splits, job)
    data = workload.data(splits)
    network = workload.network(data)
    title = workload.title(network.layers, len(data))
    return Duel(a, b, title, job, network, threads, patience, facts, {"a": set(), "b": set()})


def start(contender: Contender, directory: Path, threads: int) -> None:
    """Start a contender on the steps by which a duel in that directory verifies it. Raises ContenderError if it cannot run them."""
    with Worker(contender, directory / STEPS, threads) as worker:
        worker.reply(READY)


@contextmanager
def _blamed(contender: Contender) -> Iterator[None]:
    """Raise a broken contract as the contender's failure."""
    try:
        yield
    except ContractError as error:
        raise ContenderError(contender, str(error)) from error


def _trained(base: Contender, directory: Path, threads: int, trainer: str, job: EpochJob) -> Network:
    """Return where a job leads with a trainer of the base's impls/, under this interpreter."""
    oracle = replace(base, name=f"{trainer} of {base.code}", trainer=trainer, python=sys.executable, env={})
    with Worker(oracle, job.write(directory / "oracle.npz"), threads) as worker:
        worker.reply(READY)
        worker.request(do="epoch")
        worker.reply(READY)
        return worker.network(directory / "answer.npz", READY)


def _epochs(contenders: Iterable[Contender], job: Path, threads: int, patience: float) -> float:
    """Return the seconds of an epoch of each, added up."""
    seconds = 0.0
    for contender in contenders:
        with Worker(contender, job, threads) as worker:
            worker.reply(READY)
            worker.epoch(patience)
            seconds += worker.epoch(patience)
    return seconds
