"""Worker process that also measures the parts of an epoch: `python -m bench.anatomy.worker`.

It answers the requests of bench/paired/worker.py, and {"do": "parts"} with {"epoch": seconds, "calls": seconds, KIND: seconds, ...}: the
kinds of operations of a trainer whose step is a list of them.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

from bench.anatomy import operations
from bench.anatomy.calls import Epochs, Job
from bench.paired.worker import main
from bench.stats.intervals import FEWEST
from bench.verify.epoch_job import EpochJob
from impls import Trainer


def parts(kind: type[Trainer], job: EpochJob) -> dict[str, Any]:
    """Return the seconds of an epoch of the job, of its calls, and of its operations by kind."""
    trainer = kind(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    calls = Epochs(kind, Job(len(job.start.layers), len(job.data), job.batch_size, job.learning_rate, job.start.dtype.name))
    epochs = list[float]()
    for _ in range(FEWEST + 1):  # in turn, so that a disturbance affects both alike
        trainer.load(job.start)
        begin = perf_counter()
        trainer.train_epoch(job.order)
        epochs.append(perf_counter() - begin)
        calls.once()
    found = {"epoch": median(epochs[1:]), "calls": median(calls.seconds[1:])}
    if operations.has_operations(kind):
        measured = operations.measure(kind.__name__, kind, job)
        found |= {one.kind: one.seconds for one in measured.kinds} | {operations.BETWEEN: measured.between}
    return found


if __name__ == "__main__":
    main({"parts": parts})
