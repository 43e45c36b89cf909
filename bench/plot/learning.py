"""Test accuracy against training time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import records
from bench.analysis.timings import JobKey, ladder
from bench.plot import style
from bench.text.numbers import duration


def draw(rows: pd.DataFrame) -> Figure:
    """Draw the training runs of one job: one curve per run, one point per epoch."""
    curves = rows.groupby(["trainer", "run_id"]).ngroups
    figure = Figure(figsize=(7.2, 4.3 + 0.2 * curves), layout="constrained")  # the legend needs a line per curve
    figure.suptitle(f"Test accuracy against training time\n{style.subtitle(rows)}", x=0.01, ha="left", fontsize=12)
    axis = figure.subplots()
    axis.set_title(style.title(JobKey(*rows[list(records.JOB)].iloc[0])))
    for trainer in ladder(rows["trainer"]):
        for number, (_, curve) in enumerate(rows[rows["trainer"] == trainer].groupby("run_id", sort=False)):
            curve = curve.sort_values("round")
            x, y = curve["seconds"].cumsum().to_numpy(), 100 * curve["accuracy"].to_numpy()
            best = int(y.argmax())
            axis.plot(
                x, y, **style.trainer_style(trainer), ms=4, lw=1.4,
                label=f"{trainer}: best {y[best]:.2f} %, epoch {curve['round'].iloc[best]}, after {duration(x[best])}",
                alpha=1 if number == 0 else 0.5,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(style.PlainLog())
    axis.set_xlabel("training time in seconds (log); one point per epoch")
    axis.set_ylabel("test accuracy, %")
    axis.grid(color="#e4e4e4")
    figure.legend(frameon=False, loc="outside lower left", fontsize=9)
    return figure
