"""Scaling over ranks: the speedup of each job and trainer over one rank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from bench.analysis.timings import Configuration, JobKey, Timings
from bench.stats.intervals import Interval


class ScalingPoint(NamedTuple):
    """The speedup over one rank, in examples per second, which suits strong and weak scaling.

    disturbed  whether the time over these ranks or over one rank was
    """

    configuration: Configuration
    speedup: Interval
    disturbed: bool


@dataclass(frozen=True)
class Scaling:
    """The speedup of a trainer on a job from one rank to several.

    kind    "strong": all ranks share the mini-batch of one rank; "weak": each rank has a mini-batch of that size
    points  by the number of ranks, ascending; the first has one rank and the speedup 1
    """

    job: JobKey
    trainer: str
    kind: str
    points: tuple[ScalingPoint, ...]


def scalings(times: Timings) -> Iterator[Scaling]:
    """Yield the strong and the weak scaling of every job and trainer. Only configurations that share a run are compared."""
    several = sorted((configuration for configuration in times.configurations if configuration.ranks > 1), key=lambda one: one.ranks)
    several = list({(one.machine, one.threads, one.ranks): one for one in several}.values())  # of runs that disagree, the last
    for (one, job, trainer), alone in times.epochs.items():
        if one.ranks > 1:
            continue
        reference = (one, job, trainer) in times.noisy
        over = [configuration for configuration in several if set(configuration.runs) & set(one.runs)]
        grown = {
            "strong": [job for _ in over],
            "weak": [job._replace(workload=f"{job.workload}-x{s.ranks}", batch_size=s.ranks * job.batch_size) for s in over],
        }
        for kind, jobs in grown.items():
            keys = [(configuration, shared, trainer) for configuration, shared in zip(over, jobs, strict=True)]
            points = [
                ScalingPoint(key[0], alone.over(times.epochs[key]), reference or key in times.noisy) for key in keys if key in times.epochs
            ]
            if points:
                first = ScalingPoint(one, Interval(1.0, 1.0, 1.0), reference)
                yield Scaling(job, trainer, kind, (first, *points))
