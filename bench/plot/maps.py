"""Maps over batch size and width: the fastest trainer, and the speedup of one trainer over another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.analysis.crossovers import grids
from bench.analysis.timings import Timings, ladder
from bench.plot import style
from bench.plot.palette import colour
from bench.stats.intervals import Sample
from bench.text.numbers import digits

Map = tuple[str, Mapping[tuple[int, int], Mapping[str, Sample]]]  # name, and (width, batch size) -> trainer -> epochs


def of(times: Timings) -> list[Map]:
    """Return the configurations' grids that have at least two batch sizes, two widths and two trainers, with their names."""
    maps: list[Map] = []
    for (configuration, kind), grid in grids(times).items():
        cells = {cell: times.of(job)[configuration] for cell, job in grid.items()}
        widths, sizes = ({cell[axis] for cell in cells} for axis in (0, 1))
        if len(widths) > 1 and len(sizes) > 1 and len({name for cell in cells.values() for name in cell}) > 1:
            maps.append((f"{configuration.label}, {kind}", cells))
    return maps


def draw(maps: Sequence[Map], between: tuple[str, str] | None) -> Figure:
    """Draw one row per map: the fastest trainer of each cell, and the speedup of one trainer over another.

    between: the trainer to compare with, and the trainer whose speedup is drawn; None: `_contrast` chooses them
    """
    slower, faster = between or _contrast(maps)
    figure = Figure(figsize=(11, 0.9 + 3.4 * len(maps)), layout="constrained")
    figure.suptitle(f"Fastest trainer, and speedup of {faster} over {slower}", x=0.01, ha="left", fontsize=12)
    for (label, cells), (left, right) in zip(maps, figure.subplots(len(maps), 2, squeeze=False), strict=True):
        widths, sizes = (sorted({cell_key[axis] for cell_key in cells}) for axis in (0, 1))
        spots = {cell_key: (sizes.index(cell_key[1]), widths.index(cell_key[0])) for cell_key in cells}
        speedup = np.full((len(widths), len(sizes)), np.nan)
        for cell_key, cell in cells.items():
            x, y = spots[cell_key]
            best = min(cell, key=lambda name: cell[name].value)
            left.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=colour(best), ec="white", lw=2))
            left.annotate(best, (x, y), ha="center", va="center", fontweight="bold", fontsize=9, color=style.ink(colour(best)))
            if slower in cell and faster in cell:
                speedup[y, x] = cell[slower].value / cell[faster].value
        far = max(10.0, np.nanmax(np.maximum(speedup, 1 / speedup))) if np.isfinite(speedup).any() else 10.0
        ends = 1.4 * math.log10(far)  # avoids the darkest shades, because the lines are black
        shade = right.imshow(np.log10(speedup), cmap="PuOr_r", vmin=-ends, vmax=ends, aspect="auto", origin="lower")
        for (y, x), times in np.ndenumerate(speedup):
            if np.isfinite(times):
                ink = style.ink(mpl.colors.to_hex(shade.cmap(shade.norm(math.log10(times)))))
                right.annotate(f"{digits(times)}x", (x, y), ha="center", va="center", fontweight="bold", color=ink)
        for level, line in ((1.0, "solid"), (10.0, "dashed")):
            if np.nanmin(speedup, initial=np.inf) < level < np.nanmax(speedup, initial=0):
                right.contour(
                    *(np.array([-0.5, *range(n), n - 0.5]) for n in (len(sizes), len(widths))), np.pad(np.log10(speedup), 1, mode="edge"),
                    levels=[math.log10(level)], colors="black", linestyles=line, linewidths=2.5,
                )  # fmt: skip
        left.set_title(f"{label}: fastest trainer")
        right.set_title(f"{faster} over {slower}; solid line: 1x, dashed: 10x")
        for axis in (left, right):
            axis.set_xlim(-0.5, len(sizes) - 0.5)
            axis.set_ylim(-0.5, len(widths) - 0.5)
            axis.set_xticks(range(len(sizes)), [f"{size:,}" for size in sizes])
            axis.set_yticks(range(len(widths)), [f"{width:,}" for width in widths])
            axis.spines[:].set_visible(False)
            axis.tick_params(length=0)
            axis.set_xlabel("mini-batch size")
        left.set_ylabel("hidden units")
    return figure


def _contrast(maps: Sequence[Map]) -> tuple[str, str]:
    """Return two trainers to compare: the first of the ladder, and among the others the fastest in most cells."""
    cells = [cell for _, grid in maps for cell in grid.values()]
    first, *others = ladder(name for cell in cells for name in cell)
    wins = [min((name for name in cell if name != first), key=lambda name: cell[name].value, default=others[0]) for cell in cells]
    return first, max(others, key=wins.count)
