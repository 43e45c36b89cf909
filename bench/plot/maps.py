"""Maps over batch size and width: the fastest trainer, and the speedup of a GPU over the CPU, or of one trainer over another."""

from __future__ import annotations

import math
from collections import ChainMap, Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

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

_LONG = 10  # letters of a trainer's name; a longer one gets two lines

Cell = Mapping[str, Sample]  # trainer -> epochs


class Map(NamedTuple):
    """A configuration's grid.

    label    names the configuration
    cells    (width, batch size) -> trainer -> epochs
    devices  "cpu" or "gpu" by trainer
    """

    label: str
    cells: Mapping[tuple[int, int], Cell]
    devices: Mapping[str, str]


class Side(NamedTuple):
    """A side of a comparison: the fastest of these trainers in each cell."""

    name: str
    trainers: Collection[str]

    def epoch(self, cell: Cell) -> float:
        """Return the median epoch in a cell, in seconds; NaN if the cell has none of the trainers."""
        return min((epochs.value for name, epochs in cell.items() if name in self.trainers), default=math.nan)


def of(times: Timings) -> list[Map]:
    """Return the configurations' grids that have at least two batch sizes, two widths and two trainers."""
    maps: list[Map] = []
    for (configuration, kind), grid in grids(times).items():
        cells = {cell: times.of(job)[configuration] for cell, job in grid.items()}
        devices = {trainer: str(times.rows[configuration, job, trainer]["device"]) for cell, job in grid.items() for trainer in cells[cell]}
        widths, sizes = ({cell[axis] for cell in cells} for axis in (0, 1))
        if len(widths) > 1 and len(sizes) > 1 and len(devices) > 1:
            maps.append(Map(f"{configuration.label}, {kind}", cells, devices))
    return maps


def draw(maps: Sequence[Map], between: tuple[str, str] | None) -> Figure:
    """Draw one row per map: the fastest trainer of each cell, and the speedup of one trainer over another.

    between: the trainer to compare with, and the trainer whose speedup is drawn; None: `_contrast` chooses the sides
    """
    slower, faster = (Side(name, [name]) for name in between) if between else _contrast(maps)
    figure = Figure(figsize=(11, 0.9 + 3.4 * len(maps)), layout="constrained")
    figure.suptitle(f"Fastest trainer, and speedup of {faster.name} over {slower.name}", x=0.01, ha="left", fontsize=12)
    for (label, cells, _), (left, right) in zip(maps, figure.subplots(len(maps), 2, squeeze=False), strict=True):
        widths, sizes = (sorted({cell_key[axis] for cell_key in cells}) for axis in (0, 1))
        spots = {cell_key: (sizes.index(cell_key[1]), widths.index(cell_key[0])) for cell_key in cells}
        speedup = np.full((len(widths), len(sizes)), np.nan)
        for cell_key, cell in cells.items():
            x, y = spots[cell_key]
            best = min(cell, key=lambda name: cell[name].value)
            left.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=colour(best), ec="white", lw=2))
            text = best.replace("_", "_\n") if len(best) > _LONG else best
            left.annotate(text, (x, y), ha="center", va="center", fontweight="bold", fontsize=9, color=style.ink(colour(best)))
            speedup[y, x] = slower.epoch(cell) / faster.epoch(cell)
        far = max(10.0, np.nanmax(np.maximum(speedup, 1 / speedup))) if np.isfinite(speedup).any() else 10.0
        ends = 1.4 * math.log10(far)  # avoids the darkest shades, because the lines are black
        shade = right.imshow(np.log10(speedup), cmap="PuOr_r", vmin=-ends, vmax=ends, aspect="auto", origin="lower")
        for (y, x), times in np.ndenumerate(speedup):
            if np.isfinite(times):
                ink = style.ink(mpl.colors.to_hex(shade.cmap(shade.norm(math.log10(times)))))
                right.annotate(f"{digits(times)}x", (x, y), ha="center", va="center", fontweight="bold", color=ink)
        complete = np.isfinite(speedup).all()
        for level, line in ((1.0, "solid"), (10.0, "dashed")):
            if complete and speedup.min() < level < speedup.max():
                right.contour(
                    *(np.array([-0.5, *range(n), n - 0.5]) for n in (len(sizes), len(widths))), np.pad(np.log10(speedup), 1, mode="edge"),
                    levels=[math.log10(level)], colors="black", linestyles=line, linewidths=2.5,
                )  # fmt: skip
        left.set_title(f"{label}: fastest trainer")
        right.set_title(f"{faster.name} over {slower.name}" + ("; solid line: 1x, dashed: 10x" if complete else ""))
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


def _contrast(maps: Sequence[Map]) -> tuple[Side, Side]:
    """Return the sides to compare.

    If all maps have trainers on both devices: the CPU and the GPU. Otherwise two trainers: of those in the most cells, the first of the
    ladder, and the one that is the fastest in most cells.
    """
    cells = [cell for one in maps for cell in one.cells.values()]
    if all({"cpu", "gpu"} <= set(one.devices.values()) for one in maps):
        devices = ChainMap(*(dict(one.devices) for one in maps))
        cpu, gpu = ([name for name, device in devices.items() if device == kind] for kind in ("cpu", "gpu"))
        return Side("best CPU", cpu), Side("best GPU", gpu)
    timed = Counter(name for cell in cells for name in cell)
    often = [name for name in timed if timed[name] == max(timed.values())]
    first, *others = ladder(often if len(often) > 1 else timed)
    rest = ({name: cell[name].value for name in others if name in cell} for cell in cells)
    wins = Counter(min(epochs, key=epochs.__getitem__) for epochs in rest if epochs)
    fastest = max(others, key=wins.__getitem__)
    return Side(first, [first]), Side(fastest, [fastest])
