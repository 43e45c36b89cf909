"""Worker process that trains on request: `python -m bench.paired.worker`.

It reads requests from standard input and writes replies to standard output, one JSON object per line. The first request names the work;
it is not on the command line, where a trainer could see it:

    {"trainer": NAME, "job": FILE, "threads": 1, "pinned": false, "modules": DIRECTORY}   its versions, BLAS and device
    {"do": "epoch"}              train an epoch from the job's start                      {"seconds": 0.05, "load": 0.001}
    {"do": "check"}              check the contract in all epochs so far                  {}, or {"broken": message}
    {"do": "check speed"}        the same, and that this machine can be so fast            {}, or {"broken": message}
    {"do": "perturb"}            train another epoch, which differs only by rounding      {}
    {"do": "save", "to": FILE}   write the weights and biases to FILE                     {}

If `pinned`, the trainer's module must be in the working directory. `modules` is the directory of a user's modules. Instead of any
reply, the worker may send {"error": message}, or {"absent": reason} if the trainer cannot run on this machine. It exits at the end of
its input.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter  # now, because a trainer might replace time.perf_counter
from typing import Any, BinaryIO

import numpy as np

import impls
from bench.machine import affinity, identity, peaks
from bench.machine.roofline import Peaks, trainer_work
from bench.system import json_lines, own_code, process_tree
from bench.verify.contract import ContractError, ContractMonitor, check_possible, is_possible
from bench.verify.epoch_job import EpochJob, write_network
from bench.verify.rounding import perturbed

Measure = Callable[[type[impls.Trainer], EpochJob], dict[str, Any]]


def main(more: Mapping[str, Measure] | None = None) -> None:
    """Serve until the input or the parent process ends; on Linux, exit with the parent even while suspended.

    more  answers to other requests, by what to do
    """
    process_tree.end_with_parent()
    with _private_pipes() as (requests, replies):
        reply = partial(json_lines.send, replies)
        try:
            work = json_lines.parse(requests.readline()) or {}
            modules = Path(work["modules"])
            own_code.share_names(modules, modules / "src")
            affinity.limit_threads(work["threads"])
            serve(
                work["trainer"], EpochJob.read(Path(work["job"])), work["threads"], requests, reply, pinned=work["pinned"], more=more or {}
            )
        except impls.Unsupported as reason:
            reply(absent=str(reason))
        except Exception as error:  # the parent reports whatever a trainer raises
            reply(error=f"{type(error).__name__}: {error}")


def serve(
    name: str,
    job: EpochJob,
    threads: int,
    requests: BinaryIO,
    reply: Callable[..., None],
    *,
    pinned: bool,
    more: Mapping[str, Measure],
) -> None:
    """Construct the job's trainer and answer requests until they end.

    Raises ImportError if impls is not from the working directory or, if pinned, the trainer's module is not, and Unsupported if the
    trainer cannot run on this machine.
    """
    if Path.cwd() not in Path(impls.__file__).resolve().parents:
        raise ImportError(f"impls was imported from {Path(impls.__file__).parent}, not from the code under test")
    make = impls.load_trainer(name)  # no newer API: impls may be from any revision
    if reason := make.unavailable():
        raise impls.Unsupported(reason)
    code = Path(sys.modules[make.__module__].__file__ or "").resolve()
    if pinned and Path.cwd() not in code.parents:
        raise ImportError(f"{name} was imported from {code}, not from the revision under test")
    begin = perf_counter()
    trainer = make(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    constructor = perf_counter() - begin
    blas, blas_kernels = identity.blas()
    reply(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=np.__version__,
        blas=blas,
        blas_kernels=blas_kernels,
        library=identity.versioned(make.library),
        device=make.device,
        threads=threads,
        constructor=constructor,
    )
    monitor, seconds, work = ContractMonitor(trainer, job.start, job.order), list[float](), trainer_work(trainer, job.data)
    for line in requests:
        request = json_lines.parse(line) or {}
        if request["do"] == "epoch":
            begin = perf_counter()
            monitor.load()
            load = perf_counter() - begin
            begin = perf_counter()
            trainer.train_epoch(job.order)
            seconds.append(perf_counter() - begin)
            monitor.observe()
            reply(seconds=seconds[-1], load=load)
        elif request["do"] in ("check", "check speed"):
            try:
                monitor.check(seconds, repeated=True)
                if request["do"] == "check speed" and (best := _peaks(make, job, lambda known: is_possible(seconds, work, known))):
                    check_possible(seconds, work, best)
                reply()
            except ContractError as error:
                reply(broken=str(error))
        elif request["do"] == "perturb":
            start, order = perturbed(job.start, trainer.network(), job.order, job.batch_size)
            trainer.load(start)
            trainer.train_epoch(order)
            reply()
        elif request["do"] == "save":
            write_network(trainer.network(), Path(request["to"]))
            reply()
        else:
            reply(**more[request["do"]](make, job))


def _peaks(trainer: type[impls.Trainer], job: EpochJob, enough: Callable[[Peaks], bool]) -> Peaks | None:
    """Return the peaks of the device, as `peaks.best` does; None if they cannot be measured, as on a GPU without CuPy or memory."""
    try:
        return peaks.best([], enough, peaks.library_for(trainer), job.start.dtype.name)
    except Exception:
        return None


@contextmanager
def _private_pipes() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Reserve the pipes for this module. A trainer's output goes to standard error, and its standard input is empty."""
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        yield requests, replies


if __name__ == "__main__":
    main()
