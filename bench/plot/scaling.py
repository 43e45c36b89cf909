"""Chart of a run over several ranks: speedup and efficiency against the number of ranks, and the ideal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from bench.analysis.timings import Timings
from bench.plot.palette import numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd


def several_ranks(rows: pd.DataFrame) -> pd.Series[bool]:
    """Return a mask of the rows of runs over several ranks. It includes their rows over one rank, which are the reference."""
    return rows.groupby("run_id", sort=False)["ranks"].transform("max") > 1


def draw(times: Timings, subtitle: str) -> Figure:
    """Draw a run over several ranks, which has a configuration for each number of ranks.

    Speedup is the rate in examples per second, divided by the rate of one rank. This suits strong and weak scaling.
    """
    drawn = Figure(figsize=(10.5, 4.6), layout="constrained")
    drawn.suptitle(f"Scaling of one training epoch over ranks\n{subtitle}", x=0.01, ha="left", fontsize=12)
    speed, efficiency = drawn.subplots(1, 2)
    sizes = sorted(configuration.ranks for configuration in times.configurations)
    speed.plot([1, sizes[-1]], [1, sizes[-1]], color="#8c8c8c", ls=":", label="ideal")
    efficiency.axhline(1, color="#8c8c8c", ls=":", label="ideal")
    # One line per job and kind of scaling. Lines differ by colour, marker and dashes.
    for position, (name, (x, value, low, high)) in enumerate(_lines(times)):
        colour, marker = numbered(position // 2)
        look = {
            "color": colour, "marker": marker,
            "ls": "--" if position % 2 else "-", "capsize": 3, "lw": 1.5, "ms": 6, "mfc": "white" if position % 2 else None,
        }  # fmt: skip
        speed.errorbar(x, value, yerr=(value - low, high - value), label=name, **look)
        efficiency.errorbar(x, value / x, yerr=((value - low) / x, (high - value) / x), label=name, **look)
    for axis, title in ((speed, "speedup over one rank (examples per second)"), (efficiency, "efficiency (speedup / ranks)")):
        axis.set_title(title)
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xlabel("ranks (log)")
        axis.grid(color="#e4e4e4")
        axis.set_axisbelow(True)
    speed.set_yscale("log", base=2)
    speed.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    efficiency.set_ylim(0, max(1.1, efficiency.get_ylim()[1]))
    efficiency.yaxis.set_major_formatter(PercentFormatter(1.0))
    efficiency.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return drawn


def _lines(times: Timings) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
    """Yield the strong and the weak scaling of each job and trainer: a name, and the rows ranks, speedup, low and high."""
    over = sorted(
        (configuration for configuration in times.configurations if configuration.ranks > 1), key=lambda configuration: configuration.ranks
    )
    for (one, job, trainer), one_rank in times.epochs.items():
        if one.ranks > 1:
            continue
        for kind, jobs in (
            ("strong", [job for _ in over]),
            ("weak", [job._replace(workload=f"{job.workload}-x{s.ranks}", batch_size=s.ranks * job.batch_size) for s in over]),
        ):
            points = [(1.0, 1.0, 1.0, 1.0)]
            for configuration, shared in zip(over, jobs, strict=True):
                if epochs := times.epochs.get((configuration, shared, trainer)):
                    points.append((float(configuration.ranks), *one_rank.over(epochs)))
            if len(points) > 1:
                yield f"{job.workload} {trainer}, {kind}", np.array(points).T
