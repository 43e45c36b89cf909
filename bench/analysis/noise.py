"""What disturbed a case while it was timed: other processes, the hypervisor, a machine that slowed down. So that a bad run is marked.

Less than 5 % is not worth a word, because two runs on a quiet machine differ by as much now and then. Of the runs that were recorded for
results/, steady cases drifted by 11 % at most; disturbed ones, and those of a trainer that did slow down as it trained, by 33 to 122 %.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import psutil

from bench import records
from bench.machine import affinity

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

_TAKEN = 0.05  # of the processors' time, by others
_DRIFTED = 0.10  # of an epoch, from the first round to the last
_SURE = 3.3  # standard deviations of Mann's statistic, which one steady case of a thousand passes
_SLOWED = 0.75  # of the machine's best in the run. Of measurements beside ten busy processes on two cores, half were above 0.8
_LEAST_SECONDS = 0.5  # the system counts a processor's time in ticks of 10 ms or more
_LISTED = 6
TITLE = "Disturbed while it was measured"

_AWAY = ("idle", "iowait", "steal", "guest", "guest_nice")  # a guest's time is in the user's already


class Shares(NamedTuple):
    """Of the time of the processors that this process is held to, what others took: processes, and the hypervisor. None: not known."""

    load: float | None = None
    steal: float | None = None


class Meter:
    """Watches the processors that this process is held to, from now on."""

    def __init__(self) -> None:
        self._begin = _Reading()

    def shares(self) -> Shares:
        """Return what others took since it was made, or last gave an answer; nothing, and go on, if that is less than half a second ago.

        Nothing either where the system does not account for all of the time, as in some containers.
        """
        begin, end = self._begin, _Reading()
        if end.at - begin.at < _LEAST_SECONDS:
            return Shares()
        self._begin = end
        whole = (end.at - begin.at) * end.processors
        if not 0.9 < (end.counted - begin.counted) / whole < 1.1:
            return Shares()
        others = (end.busy - begin.busy) - (end.own - begin.own)
        stolen = None if end.stolen is None or begin.stolen is None else (end.stolen - begin.stolen) / whole
        return Shares(max(others / whole, 0.0), stolen)


class _Reading:
    """The counters of a moment, in seconds, summed over the processors that this process is held to."""

    def __init__(self) -> None:
        every = psutil.cpu_times(percpu=True)
        mine = [every[number]._asdict() for number in affinity.held() if number < len(every)]
        own = psutil.Process().cpu_times()
        self.at = time.perf_counter()
        self.processors = len(mine)
        self.counted = sum(sum(times.values()) - times.get("guest", 0.0) - times.get("guest_nice", 0.0) for times in mine)
        self.busy = sum(sum(seconds for name, seconds in times.items() if name not in _AWAY) for times in mine)
        self.stolen = sum(times["steal"] for times in mine) if mine and "steal" in mine[0] else None
        self.own = sum(own[:4])  # of this process and of the children that it has waited for


class Disturbance(NamedTuple):
    """What befell one case of a run. amount: the share that the cause speaks of."""

    machine: str
    run_id: str
    workload: str
    trainer: str
    cause: str
    amount: float


def found(table: pd.DataFrame) -> list[Disturbance]:
    """Return what disturbed the cases of a table that `records.read` returned. What older schemas did not record is not found."""
    if table.empty:
        return []
    at_best = table.groupby(["run_id", "device", "dtype", "ranks"], sort=False)["peak_flops"].transform("max")
    table = table.assign(speed=table["flops_after"] / at_best)
    keys = ["machine", "run_id", "ranks", "workload", "trainer", "kind", *(name for name in records.JOB if name != "workload")]
    disturbances = []
    for case, rows in table.groupby(keys, sort=False):
        machine, run_id, _, workload, trainer, *_ = tuple[Any, ...](case)
        disturbances += [Disturbance(machine, run_id, workload, trainer, cause, amount) for cause, amount in _causes(rows)]
    return disturbances


def told(disturbances: Iterable[Disturbance], *, run: bool = True) -> list[str]:
    """Return a line for each cause, with the cases that it befell. run: whether to name their runs."""
    by_cause: dict[str, list[str]] = {}
    for one in disturbances:
        place = f"{one.machine} {one.run_id} " if run else ""
        by_cause.setdefault(one.cause, []).append(f"{place}{one.workload} {one.trainer} {one.amount:.0%}")
    lines = []
    for cause, places in by_cause.items():
        more = f" and {len(places) - _LISTED} more" if len(places) > _LISTED else ""
        lines.append(f"{cause}: {', '.join(places[:_LISTED])}{more}; measure again on a machine that does nothing else")
    return lines


def _causes(rows: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield what disturbed the rows of one case, and how much."""
    for column, who in (("load", "other processes"), ("steal", "other virtual machines")):
        if (share := rows[column].mean()) > _TAKEN:
            yield f"{who} took processor time", share
    if (speed := rows["speed"].min()) < _SLOWED:
        yield "the machine had slowed down, to a share of its best in the run", speed
    drift = _drift(rows.sort_values("round")["seconds"].to_numpy())
    if abs(drift) > _DRIFTED:
        yield f"epochs became {'slower' if drift > 0 else 'faster'} from the first to the last", abs(drift)


def _drift(seconds: npt.NDArray[np.float64]) -> float:
    """Return by what share of the median a case's rounds rose from the first to the last; 0 if chance would do the same.

    Whether they rose: the pairs in which the later is the larger, less those in which it is the smaller (H. Mann, 1945). By how much:
    the median of all slopes (H. Theil, 1950).
    """
    n = len(seconds)
    first, later = np.triu_indices(n, 1)
    rises = seconds[later] - seconds[first]
    if abs(np.sign(rises).sum()) <= _SURE * np.sqrt(n * (n - 1) * (2 * n + 5) / 18):
        return 0.0
    return float(np.median(rises / (later - first)) * (n - 1) / np.median(seconds))
