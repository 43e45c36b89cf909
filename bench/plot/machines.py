"""Epoch times of several machines side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.analysis.timings import JobKey, Timings
from bench.plot import style
from bench.text.numbers import duration


def draw(times: Timings, jobs: Sequence[JobKey]) -> Figure:
    """Draw one panel per job, one line per configuration and one point per trainer. The leftmost point is the fastest."""
    heights = [1.0 + 0.42 * len(times.of(job)) for job in jobs]
    figure = Figure(figsize=(8.4, 1.4 + sum(heights)), layout="constrained")
    figure.suptitle("Time per training epoch, by machine", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(len(jobs), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    for axis, job in zip(axes, jobs, strict=True):
        configurations = list(times.of(job))
        for trainer in times.trainers(job):
            marks = [(*times.epochs[configuration, job, trainer].interval(), line) for line, configuration in enumerate(configurations)
                     if (configuration, job, trainer) in times.epochs]  # fmt: skip
            value, low, high, line = np.array(marks).T
            axis.errorbar(value, line, xerr=(value - low, high - value), ls="", **style.trainer_style(trainer), ms=8,
                          ecolor="black", capsize=3, label=trainer)  # fmt: skip
        for line, configuration in enumerate(configurations):
            seconds = {
                name: times.epochs[configuration, job, name].value
                for name in times.trainers(job)
                if (configuration, job, name) in times.epochs
            }
            best = min(seconds, key=seconds.__getitem__)
            axis.annotate(f"{best} {duration(seconds[best])}", (seconds[best], line), xytext=(0, 9), textcoords="offset points",
                          ha="center", fontsize=9, fontweight="bold")  # fmt: skip
        axis.set_title(job.title)
        axis.set_xscale("log")
        axis.set_ylim(len(configurations) - 0.4, -0.7)
        axis.set_yticks(range(len(configurations)), [configuration.label for configuration in configurations])
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="both", color="#e4e4e4")
        axis.set_axisbelow(True)
    axes[-1].set_xlabel("seconds (log), median and 95 % interval")
    low, high = axes[0].get_xlim()  # all panels share this axis
    axes[0].set_xlim(low / (high / low) ** 0.06, high)
    legend = {label: mark for axis in axes for mark, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(legend.values()), list(legend), frameon=False, loc="outside lower left", ncols=6, fontsize=9)
    return figure
