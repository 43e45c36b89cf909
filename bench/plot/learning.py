"""Test accuracy against training time."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import records
from bench.analysis import noise
from bench.analysis.timings import JobKey, ladder
from bench.plot import fitting, style
from bench.text.numbers import duration

_WIDTH = 7.2  # inches
_DASHES = ("-", "--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))  # of the first run of a trainer, the second, ...


def draw(rows: pd.DataFrame) -> Figure:
    """Draw the training runs of one job: one curve per run, one point per epoch. The runs of a trainer differ by their dashes."""
    figure = Figure(figsize=(_WIDTH, 3.8), layout="constrained")
    style.heading(figure, "Test accuracy against training time", style.subtitle(rows))
    axis = figure.subplots()
    axis.set_title(fitting.wrapped(style.title(JobKey(*rows[list(records.JOB)].iloc[0])), _WIDTH - 0.8, style.TITLE))
    marks = {}
    noisy = {(one.run_id, one.trainer) for one in noise.detect(rows)}
    for trainer in ladder(rows["trainer"]):
        runs = list(rows[rows["trainer"] == trainer].groupby("run_id", sort=False))
        for number, (run_id, curve) in enumerate(runs):
            curve = curve.sort_values("round")
            x, y = curve["seconds"].cumsum().to_numpy(), 100 * curve["accuracy"].to_numpy()
            best = int(y.argmax())
            disturbed = (run_id, trainer) in noisy
            name = (f"{trainer}, run {run_id}" if len(runs) > 1 else trainer) + (style.DISTURBED if disturbed else "")
            label = f"{name}: best {y[best]:.2f} %, epoch {curve['round'].iloc[best]}, after {duration(x[best])}"
            look = style.trainer_style(trainer) | {"ls": _DASHES[number % len(_DASHES)]} | ({"mfc": "white"} if disturbed else {})
            (marks[label],) = axis.plot(x, y, **look, ms=4, lw=1.4, label=label)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(style.PlainLog())
    axis.set_xlabel("training time in seconds (log); one point per epoch")
    axis.set_ylabel("test accuracy, %")
    axis.grid(color="#e4e4e4")
    style.legend(figure, marks, disturbed=bool(noisy))
    return figure
