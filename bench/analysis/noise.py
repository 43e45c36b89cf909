"""What disturbed a case while it was timed: other processes, the hypervisor, a machine that slowed down. So that a bad run is marked.

Less than 5 % is not worth a word, because two runs on a quiet machine differ by as much now and then. Of the runs that were recorded for
results/, steady cases drifted by 11 % at most; disturbed ones, and those of a trainer that did slow down as it trained, by 33 to 122 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import records
from bench.stats import trend

if TYPE_CHECKING:
    import pandas as pd

_TAKEN = 0.05  # of the processors' time, by others
_DRIFTED = 0.10  # of an epoch, from the first round to the last
_SLOWED = 0.75  # of the machine's best in the run. Of measurements beside ten busy processes on two cores, half were above 0.8
_LISTED = 6
TITLE = "Disturbed while it was measured"


class Disturbance(NamedTuple):
    """What befell one case of a run. amount: the share that the cause speaks of."""

    machine: str
    run_id: str
    workload: str
    trainer: str
    cause: str
    amount: float


def detect(table: pd.DataFrame) -> list[Disturbance]:
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


def format_lines(disturbances: Iterable[Disturbance], *, with_run: bool = True) -> list[str]:
    """Return a line for each cause, with the cases that it befell. with_run: whether to name their runs."""
    by_cause: dict[str, list[str]] = {}
    for one in disturbances:
        run = f"{one.machine} {one.run_id} " if with_run else ""
        by_cause.setdefault(one.cause, []).append(f"{run}{one.workload} {one.trainer} {one.amount:.0%}")
    lines = []
    for cause, cases in by_cause.items():
        more = f" and {len(cases) - _LISTED} more" if len(cases) > _LISTED else ""
        lines.append(f"{cause}: {', '.join(cases[:_LISTED])}{more}; measure again on a machine that does nothing else")
    return lines


def _causes(rows: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield what disturbed the rows of one case, and how much."""
    for column, who in (("load", "other processes"), ("steal", "other virtual machines")):
        if (share := rows[column].mean()) > _TAKEN:
            yield f"{who} took processor time", share
    if (speed := rows["speed"].min()) < _SLOWED:
        yield "the machine had slowed down, to a share of its best in the run", speed
    drift = trend.drift(rows.sort_values("round")["seconds"].to_numpy())
    if abs(drift) > _DRIFTED:
        yield f"epochs became {'slower' if drift > 0 else 'faster'} from the first to the last", abs(drift)
