"""Roofline chart: the rate of each trainer and the machine's measured peaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import records
from bench.analysis.timings import Configuration, JobKey, Timings, ladder
from bench.machine.accelerators import accelerator_of
from bench.plot import style


def draw(times: Timings, configuration: Configuration, rows: pd.DataFrame, subtitle: str) -> Figure:
    """Draw operations per second against operations per byte, under the measured peaks. One panel per device.

    rows: those of the configuration with known peaks
    """
    on = rows.apply(
        lambda row: row["device"].upper() + (f": {accelerator_of(row)}" if row["device"] == "gpu" and row["accelerator"] else ""), axis=1
    )
    devices = [(device, cells) for device, cells in rows.groupby(on, sort=False)]
    figure = Figure(figsize=(7.2, 1.2 + 3.6 * len(devices)), layout="constrained")
    figure.suptitle(f"Roofline: trainers against the machine's measured peak\n{subtitle}", x=0.01, ha="left", fontsize=12)
    for axis, (device, cells) in zip(figure.subplots(len(devices), 1, squeeze=False)[:, 0], devices, strict=True):
        peak, moved = cells["peak_flops"].median(), cells["peak_bytes"].median()
        intensity = cells["flops"] / cells["bytes"]
        x = np.geomspace(min(intensity.min(), peak / moved) / 3, max(intensity.max(), peak / moved) * 3, 200)
        axis.plot(x, np.minimum(peak, x * moved) / 1e9, color="black", lw=1.8)
        axis.annotate(f"{peak / 1e9:,.0f} GFLOP/s (matrix product)", (peak / moved, peak / 1e9), xytext=(0, 5), textcoords="offset points")
        axis.annotate(
            f"{moved / 1e9:,.0f} GB/s (memory copy)", (x[0], x[0] * moved / 1e9), xytext=(8, -2), textcoords="offset points", va="top"
        )
        at = (cells["flops"] / cells["bytes"]).groupby(cells["workload"], sort=False).median()
        for trainer in ladder(cells["trainer"]):
            points = [
                (
                    one["flops"] / one["bytes"],
                    one["flops"] / times.epochs[configuration, JobKey(*tuple[Any, ...](job)), trainer].value / 1e9,
                )
                for job, epochs in cells[cells["trainer"] == trainer].groupby(list(records.JOB), sort=False)
                for one in [epochs.iloc[0]]
            ]
            axis.plot(*zip(*points, strict=True), ls="", **style.trainer_style(trainer), ms=8, label=trainer)
        for workload, intensity in at.items():
            axis.annotate(workload, (intensity, 0.03), xycoords=("data", "axes fraction"), ha="center", fontweight="bold")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(str(device))
        axis.set_ylim(bottom=axis.get_ylim()[0] / 2)  # space for the workload names
        axis.set_ylabel("GFLOP/s (log)")
        axis.set_xlabel("operations per byte (log); compiled counts only non-zero pixels" if "compiled" in set(cells["trainer"])
                        else "operations per byte (log)")  # fmt: skip
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            ticks.set_minor_formatter(style.PlainLog())
        axis.grid(color="#e4e4e4")
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
