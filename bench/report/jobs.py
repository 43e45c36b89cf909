"""Names of the jobs on the page: a title, a short name for charts, and a group of the selector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from bench.analysis.timings import JobKey

# What may distinguish two jobs with the same workload, in the order of a title.
_FIELDS: tuple[Callable[[JobKey], str], ...] = (
    lambda job: job.layers,
    lambda job: f"batch {job.batch_size}",
    lambda job: f"learning rate {job.learning_rate:g}",
    lambda job: f"{job.examples:,} examples",
    lambda job: job.dtype,
    lambda job: job.dataset,
    lambda job: f"seed {job.seed}",
)


def described(jobs: Sequence[JobKey]) -> list[dict[str, Any]]:
    """Return the names and the sizes of each job."""
    return [
        {
            "title": job.title,
            "short": _short(job, jobs),
            "group": f"Grid, {job.width:,} hidden units" if job.width else "Named workloads",
            "kind": job.kind,
            "width": job.width,
            "batch": int(job.batch_size),
            "examples": int(job.examples),
        }
        for job in jobs
    ]


def _short(job: JobKey, jobs: Sequence[JobKey]) -> str:
    """Return the workload, with the fields in which another job of that workload differs."""
    others = [other for other in jobs if other.workload == job.workload]
    return ", ".join([job.workload, *(field(job) for field in _FIELDS if len({field(other) for other in others}) > 1)])
