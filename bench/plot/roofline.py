"""Roofline chart: the rate of each trainer and the machine's measured peaks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench import records
from bench.analysis.timings import Configuration, JobKey, Timings, ladder
from bench.machine import load
from bench.machine.accelerators import accelerator_of
from bench.plot import dodge, fitting, style

# Inches. The layout of a panel is computed for an axis of this size; a real one is larger.
_FIGURE, _AXIS, _HEIGHT = 8.8, 4.8, 3.0
_LEGEND, _NAME = 2.0, 2.2  # longest line
_LINE, _MARK = 0.2, 0.125
_ROOF_SIZE = 9  # of the font
_ROOM = 2.0  # factor between the outermost points and the ends of the axis


class _Panel(NamedTuple):
    """A device: its cases, and its limits in operations per second and bytes per second, both divided by 1e9.

    points  trainer, operations per byte, rate and whether it is disturbed, in ladder order
    at      operations per byte of each workload
    busy    whether the limits were measured on a busy machine
    """

    device: str
    points: Sequence[tuple[str, float, float, bool]]
    at: Mapping[str, float]
    peak: float
    copied: float
    busy: bool


def draw(times: Timings, configuration: Configuration, rows: pd.DataFrame, subtitle: str) -> Figure:
    """Draw operations per second against operations per byte, under the measured peaks. One panel per device.

    rows: those of the configuration with known peaks
    """
    on = rows.apply(
        lambda row: row["device"].upper() + (f": {accelerator_of(row)}" if row["device"] == "gpu" and row["accelerator"] else ""), axis=1
    )
    panels = [_panel(str(device), cells, times, configuration) for device, cells in rows.groupby(on, sort=False)]
    heights = [_height(panel) for panel in panels]
    figure = Figure(figsize=(_FIGURE, 0.3 + sum(height + 1.2 for height in heights)), layout="constrained")
    style.heading(figure, "Roofline: trainers against the machine's measured peak", subtitle)
    for axis, panel in zip(figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0], panels, strict=True):
        _draw_panel(axis, panel)
    return figure


def _panel(device: str, cells: pd.DataFrame, times: Timings, configuration: Configuration) -> _Panel:
    points = []
    for trainer in ladder(cells["trainer"]):
        for names, epochs in cells[cells["trainer"] == trainer].groupby(list(records.JOB), sort=False):
            key, one = (configuration, JobKey(*tuple[Any, ...](names)), trainer), epochs.iloc[0]
            points.append((trainer, one["flops"] / one["bytes"], one["flops"] / times.epochs[key].value / 1e9, key in times.noisy))
    medians = (cells["flops"] / cells["bytes"]).groupby(cells["workload"], sort=False).median()
    at = {str(workload): float(intensity) for workload, intensity in medians.items()}
    busy = (cells[["load", "steal"]].max(axis=1) > load.TAKEN).mean() >= 0.5  # of the rows whose median is the roof
    return _Panel(device, points, at, cells["peak_flops"].median() / 1e9, cells["peak_bytes"].median() / 1e9, bool(busy))


def _height(panel: _Panel) -> float:
    """Return the inches of an axis that has space for the names of the workloads, and for its legend."""
    legend = sum(
        fitting.wrapped(trainer, _LEGEND, style.TEXT).count("\n") + 1 for trainer in dict.fromkeys(point[0] for point in panel.points)
    )
    return max(_HEIGHT + _LINE * len(panel.at), _LINE * (legend + 1))


def _draw_panel(axis: Axes, panel: _Panel) -> None:
    axis.set_xscale("log")
    axis.set_yscale("log")
    roofs = _roof_names(panel)
    corner = panel.peak / panel.copied
    intensities = [point[1] for point in panel.points]
    right = _ROOM * max(*intensities, 2 * corner)
    share = (fitting.width(roofs[1], _ROOF_SIZE) + 0.2) / _AXIS  # that the sloped part needs for its name
    left = min(min(intensities) / _ROOM, corner / (right / corner) ** (share / (1 - share)))
    # Points that would cover each other move sideways, by half a mark each.
    beside = _MARK * sum(abs(math.log(max(intensities) / intensity)) < 0.1 for intensity in intensities) / 2
    right = max(right, max(intensities) * (right / left) ** (2 * beside / _AXIS))
    names = _workload_rows(panel.at, left, right)
    lines = sum(max(name.count("\n") + 1 for name, _ in row) for row in names)
    lowest = min(*(point[2] for point in panel.points), left * panel.copied)
    above, below, height = 0.1 + _LINE * (roofs[0].count("\n") + 1), 0.2 + _LINE * lines, _height(panel)
    decade = (height - above - below) / math.log10(panel.peak / lowest)  # inches
    axis.set_xlim(left, right)
    axis.set_ylim(lowest / 10 ** (below / decade), panel.peak * 10 ** (above / decade))

    x = np.array([left, corner, right])
    axis.plot(x, np.minimum(panel.peak, x * panel.copied), color="black", lw=1.8)
    axis.annotate(roofs[0], (right, panel.peak), xytext=(0, 4), textcoords="offset points", ha="right", fontsize=_ROOF_SIZE)
    start = left * (right / left) ** (0.1 / _AXIS)
    slope = panel.copied * 10 ** (0.07 / decade)  # parallel to the roof, a little above it
    axis.text(
        start, start * slope, roofs[1], fontsize=_ROOF_SIZE, rotation_mode="anchor", rotation=math.degrees(math.atan2(slope, 1)),
        transform_rotates_text=True,
    )  # fmt: skip
    line = 0.1
    for row in names:
        for name, place in row:
            axis.annotate(name, (place, line / height), xycoords="axes fraction", ha="center", va="bottom", fontweight="bold")
        line += _LINE * max(name.count("\n") + 1 for name, _ in row)
    at = np.array(list(panel.at.values()))
    axis.vlines(at, lowest, np.minimum(panel.peak, at * panel.copied), color="#bbbbbb", ls=":", lw=1.2, zorder=0)
    moved = _draw_points(axis, panel, (_AXIS / math.log10(right / left), decade))
    _label(axis, panel, moved=moved)


def _roof_names(panel: _Panel) -> tuple[str, str]:
    """Return the names of the flat and the sloped part of the roof."""
    busy = "\n(measured on a busy machine)" if panel.busy else ""
    return f"{panel.peak:,.0f} GFLOP/s (matrix product){busy}", f"{panel.copied:,.0f} GB/s (memory copy){busy}"


def _workload_rows(at: Mapping[str, float], left: float, right: float) -> list[list[tuple[str, float]]]:
    """Return rows of names with their centres, as a share of the axis. Names of workloads that are close to each other are in two rows."""
    rows: list[list[tuple[str, float]]] = []
    ends: list[float] = []  # of the last name of each row, in inches
    for workload, intensity in sorted(at.items(), key=lambda item: item[1]):
        name = fitting.wrapped(workload, _NAME, style.TEXT, bold=True)
        half = fitting.width(name, style.TEXT, bold=True) / 2
        centre = min(max(_AXIS * math.log(intensity / left) / math.log(right / left), half), _AXIS - half)
        number = next((number for number, end in enumerate(ends) if centre - half > end + 0.1), len(rows))
        if number == len(rows):
            rows.append([])
            ends.append(0.0)
        rows[number].append((name, centre / _AXIS))
        ends[number] = centre + half
    return rows


def _draw_points(axis: Axes, panel: _Panel, scale: tuple[float, float]) -> bool:
    """Draw the points, and return whether any was moved. scale: inches of a decade"""
    logs = np.log10([point[1:3] for point in panel.points]) * scale
    placed = dodge.apart(logs, (_MARK, _MARK))
    x, y = 10 ** (placed / scale).T
    trainers = np.array([point[0] for point in panel.points], dtype=object)
    noisy = np.array([point[3] for point in panel.points])
    for trainer in dict.fromkeys(trainers):
        mine, look = trainers == trainer, style.trainer_style(trainer)
        axis.plot(x[mine], y[mine], ls="", **look, ms=8, label=fitting.wrapped(trainer, _LEGEND, style.TEXT), clip_on=False, zorder=3)
        axis.plot(x[mine & noisy], y[mine & noisy], **style.hollow(look), ms=8)
    return bool((placed != logs).any())


def _label(axis: Axes, panel: _Panel, *, moved: bool) -> None:
    axis.set_title(fitting.wrapped(panel.device, _AXIS, style.TITLE))
    axis.set_ylabel("GFLOP/s (log)")
    notes = {
        "operations per byte (log)": True,
        "compiled counts only non-zero pixels": any(point[0] == "compiled" for point in panel.points),
        "points that would cover each other are beside each other": moved,
    }
    axis.set_xlabel("\n".join(note for note, holds in notes.items() if holds))
    for ticks in (axis.xaxis, axis.yaxis):
        ticks.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ticks.set_minor_formatter(style.PlainLog())
    axis.grid(color="#e4e4e4")
    axis.set_axisbelow(True)
    handles, _ = axis.get_legend_handles_labels()
    handles += [style.hollow_entry()] if any(point[3] for point in panel.points) else []
    axis.legend(handles=handles, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
