"""CPU time that other processes and the hypervisor take during a measurement."""

from __future__ import annotations

import time
from typing import NamedTuple

import psutil

from bench.machine import affinity

TAKEN = 0.05  # a larger share of the CPU time, taken by others, is a disturbance; two runs on an idle machine may differ by as much
CAUSES = {"load": "other processes took CPU time", "steal": "other virtual machines took CPU time"}
_LEAST_SECONDS = 0.5  # the system counts CPU time in ticks of 10 ms or more
_AWAY = ("idle", "iowait", "steal", "guest", "guest_nice")  # user time already includes guest time


class Shares(NamedTuple):
    """Fractions of the CPU time of this process's processors: load by other processes, steal by the hypervisor. None: unknown."""

    load: float | None = None
    steal: float | None = None


class Meter:
    """Measures the load on the processors that this process may use, from its creation on."""

    def __init__(self, *, children: bool = False) -> None:
        """Begin to measure.

        children  whether the work runs in child processes. Only Linux counts their time as this process's; elsewhere the shares are
                  unknown.
        """
        self._begin = None if children and not psutil.LINUX else _reading()

    def shares(self) -> Shares:
        """Return the shares since the last result, or since creation.

        Returns unknown shares, and continues the interval, after less than 0.5 s. Also returns unknown shares if the system hides the CPU
        time, or a part of it, as in some containers.
        """
        begin, end = self._begin, _reading()
        if begin is None or end is None or end.at - begin.at < _LEAST_SECONDS:
            return Shares()
        self._begin = end
        whole = (end.at - begin.at) * end.processors
        if not 0.9 < (end.counted - begin.counted) / whole < 1.1:
            return Shares()
        others = (end.busy - begin.busy) - (end.own - begin.own)
        stolen = None if end.stolen is None or begin.stolen is None else (end.stolen - begin.stolen) / whole
        return Shares(max(others / whole, 0.0), stolen)


class _Reading:
    """The current CPU time counters in seconds, summed over the processors that this process may use."""

    def __init__(self) -> None:
        every = psutil.cpu_times(percpu=True)
        mine = [every[number]._asdict() for number in affinity.processors() if number < len(every)]
        own = psutil.Process().cpu_times()
        self.at = time.perf_counter()
        self.processors = len(mine)
        self.counted = sum(sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0) for times in mine)
        self.busy = sum(sum(seconds for name, seconds in times.items() if name not in _AWAY) for times in mine)
        self.stolen = sum(times["steal"] for times in mine) if mine and "steal" in mine[0] else None
        self.own = sum(own[:4])  # this process and the children that it has waited for


def _reading() -> _Reading | None:
    """Return the counters; None if the system hides them."""
    try:
        return _Reading()
    except (OSError, psutil.Error):
        return None
