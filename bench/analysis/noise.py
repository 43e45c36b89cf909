"""Flags for noisy cases: CPU time taken by other processes or virtual machines, a machine that slowed down, drift.

Shares of CPU time up to 5 % are not flagged, because two runs on an idle machine sometimes differ by as much. In the runs recorded
for results/, steady cases drifted by up to 11 %. Noisy cases, and cases of a trainer that did slow down during training, drifted by
33 to 122 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import records
from bench.stats import trend

if TYPE_CHECKING:
    import pandas as pd

_TAKEN = 0.05  # of the CPU time, taken by others
_DRIFTED = 0.10  # of the median epoch, from the first round to the last
_SLOWED = 0.75  # of the peak in the run; next to ten busy processes on two cores, half of the measurements were above 0.8
_LISTED = 6
TITLE = "Noisy cases"


class Disturbance(NamedTuple):
    """A cause of noise in one case of a run. amount: the size of the cause, as a fraction."""

    machine: str
    run_id: str
    workload: str
    trainer: str
    cause: str
    amount: float


def detect(table: pd.DataFrame) -> list[Disturbance]:
    """Return the disturbances of the cases in a table from `records.read`. Columns that an older schema lacks flag nothing."""
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
    """Return a line for each cause, with the cases that it affected. with_run: whether to include machine and run id."""
    by_cause: dict[str, list[str]] = {}
    for one in disturbances:
        run = f"{one.machine} {one.run_id} " if with_run else ""
        by_cause.setdefault(one.cause, []).append(f"{run}{one.workload} {one.trainer} {one.amount:.0%}")
    lines = []
    for cause, cases in by_cause.items():
        more = f" and {len(cases) - _LISTED} more" if len(cases) > _LISTED else ""
        lines.append(f"{cause}: {', '.join(cases[:_LISTED])}{more}; repeat on an idle machine")
    return lines


def _causes(rows: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield (cause, amount) for each disturbance in the rows of one case."""
    for column, who in (("load", "other processes"), ("steal", "other virtual machines")):
        if (share := rows[column].mean()) > _TAKEN:
            yield f"{who} took CPU time", share
    if (speed := rows["speed"].min()) < _SLOWED:
        yield "the machine slowed down (its rate in percent of peak)", speed
    drift = trend.drift(rows.sort_values("round")["seconds"].to_numpy())
    if abs(drift) > _DRIFTED:
        yield f"drift: epochs became {'slower' if drift > 0 else 'faster'} from first to last", abs(drift)
