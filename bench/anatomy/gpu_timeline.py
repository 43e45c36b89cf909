"""Timeline of a GPU during an epoch: launches from the host, kernels, their time, and the gaps between them.

PyTorch's profiler records them for any library, because it asks the driver (CUPTI). Recording slows short kernels, so the fractions of
the span count, rather than the seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from bench.verify.epoch_job import EpochJob
from impls import Trainer

STEPS = 200  # that are recorded: each has some hundred events
_LAUNCH = re.compile(r"cu(da)?(Graph)?Launch")
_COPY = re.compile(r"Mem(cpy|set)")


class Event(NamedTuple):
    """Something that the profiler recorded. on_gpu: whether the GPU did it, or the host called it; begin, end: in seconds"""

    name: str
    on_gpu: bool
    begin: float
    end: float


class Timeline(NamedTuple):
    """What happened in a number of steps.

    launches  calls of the host that launch a kernel or a graph; None if the profiler saw none, as it does not see all of the driver's
    kernels   kernels that ran
    copies    copies to, from and within the GPU's memory
    span      seconds from the begin of the first to the end of the last
    busy      seconds of the span in which at least one kernel or copy ran; the others are gaps
    """

    steps: int
    launches: int | None
    kernels: int
    copies: int
    span: float
    busy: float

    @classmethod
    def of(cls, events: Iterable[Event], steps: int) -> Timeline | None:
        """Return the timeline of some events, or None if nothing ran on a GPU."""
        events = list(events)
        mine = sorted((event for event in events if event.on_gpu), key=lambda event: event.begin)
        if not mine:
            return None
        busy, reached = 0.0, mine[0].begin
        for event in mine:  # kernels of several streams overlap
            busy += max(event.end - max(event.begin, reached), 0.0)
            reached = max(reached, event.end)
        copies = sum(bool(_COPY.match(event.name)) for event in mine)
        launches = sum(bool(_LAUNCH.match(event.name)) for event in events if not event.on_gpu)
        return cls(steps, launches or None, len(mine) - copies, copies, reached - mine[0].begin, busy)


def measure(trainer: type[Trainer], job: EpochJob) -> Timeline | None:
    """Record an epoch of the job's first STEPS mini-batches, after another one. Returns None without PyTorch for this GPU."""
    try:
        from torch.profiler import ProfilerActivity, profile, supported_activities
    except ImportError:
        return None
    if ProfilerActivity.CUDA not in supported_activities():
        return None
    data = job.data.first(min(len(job.data), STEPS * job.batch_size))
    one = trainer(job.start, data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    order = data.order(seed=0)
    one.train_epoch(order)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA], acc_events=True) as recorded:  # else PyTorch 2.11 warns
        one.train_epoch(order)
    microseconds = 1e-6
    events = (
        Event(
            event.name,
            event.device_type.name == "CUDA",
            event.time_range.start * microseconds,
            event.time_range.end * microseconds,
        )
        for event in recorded.events()
    )
    return Timeline.of(events, -(-len(data) // job.batch_size))
