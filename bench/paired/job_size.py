"""Number of examples for short rounds, so that many pairs fit into the time budget."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.verify.verification import whole_epoch
from bench.workload import Workload
from impls import Splits

_ROUND_SECONDS = 0.04  # for both epochs. Longer: fewer pairs in the time budget; shorter: timer resolution and overhead matter
_LEAST = 2_000  # examples: fewer fit into the caches nearest to the processor, where the examples of a whole epoch do not


def short_rounds(workload: Workload, splits: Splits, round_seconds: Callable[[], float], job: Path) -> Workload:
    """Choose the number of examples so that a round is short, write the job, and return its workload.

    round_seconds  measures one round of the written job, in seconds
    job            the file to write
    """
    most, batch = len(workload.data(splits)), workload.batch_size
    least = min(max(2 * batch, _LEAST // batch * batch), most)
    examples = least
    for _ in range(4):  # an estimate from few examples overestimates the constant cost of an epoch
        whole_epoch(replace(workload, examples=examples), splits).write(job)
        wished = examples * _ROUND_SECONDS / round_seconds()
        if 0.7 < wished / examples < 1.4:
            break
        before, examples = examples, int(min(max(wished // batch * batch, least), most))
        if examples == before:
            break
    chosen = replace(workload, examples=examples)
    whole_epoch(chosen, splits).write(job)
    return chosen
