"""Verification of contenders by the code of one of them: the base of a comparison."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.paired.contender import Contender, ContenderError
from bench.paired.worker_client import Worker
from bench.verify.contract import ContractError
from bench.verify.epoch_job import EpochJob
from bench.verify.oracle import Oracle
from bench.verify.verification import steps, steps_oracle
from bench.workload import Workload
from impls import Network, Splits

READY = 120.0  # timeout in seconds for loading libraries and compiling


@dataclass(frozen=True)
class Referee:
    """Verifies contenders on a few steps of a workload. The right results are those of the float64 `loop` of the base's code.

    directory  for its files
    threads    of the workers
    patience   timeout of a request in seconds
    """

    base: Contender
    workload: Workload
    splits: Splits
    directory: Path
    threads: int
    patience: float

    def verify(self, contender: Contender) -> dict[str, Any]:
        """Verify a contender in the workload's dtype and in float64, and return its versions, BLAS kernels and threads.

        Raises ContenderError if it cannot run or computes a wrong result. A trainer may be unsupported in float64.
        """
        facts: dict[str, Any] = {}
        results: dict[str, Network] = {}
        for dtype in dict.fromkeys((self.workload.dtype, "float64")):
            try:
                with Worker(contender, self._job.astype(dtype).write(self.directory / "verify.npz"), self.threads) as worker:
                    found = worker.facts(READY)
                    facts = facts or found
                    worker.epoch(self.patience)
                    results[dtype] = worker.network(self.directory / "result.npz", self.patience)
            except ContenderError as error:
                if not error.absent or dtype == self.workload.dtype:
                    raise
        with _blamed(self.base):
            oracle = self._oracle
        with _blamed(contender):
            for dtype, result in results.items():
                (oracle.error if dtype == self.workload.dtype else oracle.double_error)(result)
        return facts

    @cached_property
    def _job(self) -> EpochJob:
        return steps(self.workload, self.splits)

    @cached_property
    def _oracle(self) -> Oracle:
        return steps_oracle(self.workload, self.splits, self._trained, whose=f" of {self.base.code}")

    def _trained(self, trainer: str, job: EpochJob) -> Network:
        """Train a job with a trainer of the base's impls/, under this interpreter, and return the network."""
        oracle = replace(self.base, name=f"{trainer} of {self.base.code}", trainer=trainer, python=sys.executable, env={})
        with Worker(oracle, job.write(self.directory / "oracle.npz"), self.threads) as worker:
            worker.reply(READY)
            worker.request(do="epoch")
            worker.reply(READY)
            return worker.network(self.directory / "answer.npz", READY)


def start(contender: Contender, workload: Workload, splits: Splits, directory: Path, threads: int) -> None:
    """Start a contender on the steps of a workload, in a directory for the files. Raises ContenderError if it does not start."""
    with Worker(contender, steps(workload, splits).write(directory / "verify.npz"), threads) as worker:
        worker.reply(READY)


@contextmanager
def _blamed(contender: Contender) -> Iterator[None]:
    """Turn a ContractError into a ContenderError of the contender."""
    try:
        yield
    except ContractError as error:
        raise ContenderError(contender, str(error)) from error
