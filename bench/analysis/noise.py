"""Flags for noisy cases: CPU time taken by other processes or virtual machines, a machine that slowed down, drift, a trainer far behind.

Shares of CPU time up to 5 % are not flagged, because two runs on an idle machine sometimes differ by as much. In the runs recorded
for results/, steady cases drifted by up to 11 %. Noisy cases, and cases of a trainer that did slow down during training, drifted by
33 to 122 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench import records
from bench.machine import load
from bench.stats import trend

if TYPE_CHECKING:
    import pandas as pd

_DRIFTED = 0.10  # of the median epoch, from the first round to the last
_SLOWER_CLOCK = 0.9  # of the clock frequency before the rounds
_SLOWED = 0.75  # of the peak in the run; next to ten busy processes on two cores, half of the measurements were above 0.8
# PyTorch took 100 times as long as loop, and 40 ms per step, when its threads waited for a busy processor. On an idle machine, a framework
# may take over 10 times as long as loop with mini-batches of one image, too, but then a step takes about 1 ms.
_BEHIND_LOOP, _BEHIND_FASTEST, _STEP_SECONDS = 10, 1000, 0.01
_LISTED = 6
CAUSES = {
    **load.CAUSES,
    "clock": "the clock became slower (percentages: after the rounds relative to before)",
    "throttled": "the device throttled its clock (percentages: after the rounds relative to before)",
    "rate": "the machine slowed down (percentages: its rate relative to the peak)",
    "slower": "drift: epochs became slower from first to last",
    "faster": "drift: epochs became faster from first to last",
    "behind_loop": f"probably waited: over {_BEHIND_LOOP} times as slow as loop (percentages: its epoch relative to that of loop)",
    "behind_fastest": f"probably waited: over {_BEHIND_FASTEST:,} times as slow as the fastest trainer "
    "(percentages: its epoch relative to that of the fastest trainer)",
}
TITLE = "Noisy cases"
# A thread of BLAS spins while it waits for the others, and they wait for a processor that another process uses.
_WAITING = ("load", "steal", "behind_loop", "behind_fastest")


class Disturbance(NamedTuple):
    """A cause of noise in one case of a run. cause: a key of CAUSES; amount: the size of the cause, as a fraction; NaN: unknown."""

    machine: str
    run_id: str
    workload: str
    trainer: str
    threads: int
    ranks: int
    cause: str
    amount: float

    def json(self) -> dict[str, str | float | None]:
        """Return the fields for JSON, which has no NaN."""
        return {**self._asdict(), "amount": self.amount if math.isfinite(self.amount) else None}


def detect(table: pd.DataFrame) -> list[Disturbance]:
    """Return the disturbances of the cases in a table from `records.read`. Columns that an older schema lacks flag nothing."""
    if table.empty:
        return []
    # Not of the column peak_flops: the peak of a case may be that of another library's product.
    at_best = table.groupby(["run_id", "device", "dtype", "ranks"], sort=False)["flops_after"].transform("max")
    table = table.assign(speed=table["flops_after"] / at_best)
    job = ["machine", "run_id", "workload", "kind", *(name for name in records.JOB if name != "workload")]
    medians: dict[tuple[Any, ...], dict[str, float]] = {}
    by_trainer: dict[Any, float] = table.groupby([*job, "trainer"], sort=False)["seconds"].median().to_dict()
    for (*key, trainer), median in by_trainer.items():
        medians.setdefault(tuple(key), {})[trainer] = median
    disturbances = []
    for case, rows in table.groupby([*job, "trainer", "ranks"], sort=False):
        *key, trainer, ranks = tuple[Any, ...](case)
        machine, run_id, workload, *_ = key
        causes = [*_causes(rows), *_far_behind(rows, medians[tuple(key)])]
        threads = int(rows["threads"].iloc[0])
        disturbances += [Disturbance(machine, run_id, workload, trainer, threads, int(ranks), cause, amount) for cause, amount in causes]
    return disturbances


def format_lines(disturbances: Iterable[Disturbance], *, with_run: bool = True) -> list[str]:
    """Return a line for each cause, with the cases that it affected. with_run: whether to include machine and run id."""
    by_cause: dict[str, list[Disturbance]] = {}
    for one in disturbances:
        by_cause.setdefault(one.cause, []).append(one)
    lines = []
    for cause, cases in by_cause.items():
        runs: dict[str, list[str]] = {}
        for one in cases[:_LISTED]:
            amount = f" {one.amount:.0%}" if math.isfinite(one.amount) else ""
            ranks = f" over {one.ranks} ranks" if one.ranks > 1 else ""
            runs.setdefault(f"{one.machine} {one.run_id} " if with_run else "", []).append(f"{one.workload} {one.trainer}{ranks}{amount}")
        listed = ", ".join(f"{run}{', '.join(named)}" for run, named in runs.items())
        more = f" and {len(cases) - _LISTED} more" if len(cases) > _LISTED else ""
        waits = cause in _WAITING and any(one.threads > 1 for one in cases)
        fix = f"repeat on an idle machine{', or with --threads 1, where no thread waits for another' if waits else ''}"
        lines.append(f"{CAUSES[cause]}: {listed}{more}; {fix}")
    return lines


def covers(disturbances: Iterable[Disturbance], table: pd.DataFrame) -> bool:
    """Return whether every case of the table is disturbed."""
    every = set(table[["run_id", "workload", "trainer"]].itertuples(index=False, name=None))
    return bool(every) and every <= {(one.run_id, one.workload, one.trainer) for one in disturbances}


def _causes(rows: pd.DataFrame) -> Iterator[tuple[str, float]]:
    """Yield (cause, amount) for each disturbance in the rows of one case."""
    for column in ("load", "steal"):
        if (share := rows[column].mean()) > load.TAKEN:
            yield column, share
    if (speed := rows["speed"].min()) < _SLOWED:
        yield "rate", speed
    one = rows.iloc[0]
    clock = one["clock_mhz_after"] / one["clock_mhz"] if one["clock_mhz"] else math.nan
    if one["throttled"]:
        yield "throttled", clock
    elif clock < _SLOWER_CLOCK:
        yield "clock", clock
    drift = trend.drift(rows.sort_values("round")["seconds"].to_numpy())
    if abs(drift) > _DRIFTED:
        yield "slower" if drift > 0 else "faster", abs(drift)


def _far_behind(mine: pd.DataFrame, medians: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    """Yield (cause, amount) if steps take so long that the trainer must have waited, compared with loop, or else the fastest trainer."""
    if "loop" in medians:
        cause, reference, times = "behind_loop", medians["loop"], _BEHIND_LOOP
    else:
        cause, reference, times = "behind_fastest", min(medians.values()), _BEHIND_FASTEST
    typical, steps = float(np.median(mine["seconds"].to_numpy())), math.ceil(mine["examples"].iloc[0] / mine["batch_size"].iloc[0])
    if typical > times * reference and typical > _STEP_SECONDS * steps:
        yield cause, typical / reference
