"""Maps over batch size and width: the fastest trainer, and the speedup of a GPU over the CPU, or of one trainer over another."""

from __future__ import annotations

import math
from collections import ChainMap, Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from bench.analysis.crossovers import grids
from bench.analysis.timings import Timings, ladder
from bench.analysis.winners import winner
from bench.plot import fitting, style
from bench.plot.palette import colour
from bench.stats.intervals import Sample
from bench.text.numbers import digits

_WIDTH, _NARROW = 10.5, 6.0  # inches of the figure; of one that has a single panel
_ROW, _MARGIN = 0.64, 0.95  # inches of a row of cells, and beside the cells of a panel
_BESIDE = 6  # batch sizes; with more, the two panels of a map are one above the other
_NARROW_CELL = 0.8  # inches; a narrower cell gets a smaller font
_SIZE, _SMALL = 9, 7  # points of the texts of cells
_NAME_LINES = 3  # of the name of a trainer in a cell
_STAR = "*: a disturbed trainer, perhaps a fast one, is left out"

Cell = Mapping[str, Sample]  # trainer -> epochs


class Line(NamedTuple):
    """A line of equal speedup."""

    level: float
    style: str


_LINES = (Line(1.0, "solid"), Line(10.0, "dashed"))


class Map(NamedTuple):
    """A configuration's grid.

    label    names the configuration
    cells    (width, batch size) -> trainer -> epochs, without the disturbed ones
    timed    (width, batch size) -> trainer -> epochs, with the disturbed ones
    devices  "cpu" or "gpu" by trainer
    """

    label: str
    cells: Mapping[tuple[int, int], Cell]
    timed: Mapping[tuple[int, int], Cell]
    devices: Mapping[str, str]

    @property
    def widths(self) -> list[int]:
        """The widths, ascending."""
        return sorted({width for width, _ in self.cells})

    @property
    def sizes(self) -> list[int]:
        """The batch sizes, ascending."""
        return sorted({size for _, size in self.cells})

    @property
    def spots(self) -> dict[tuple[int, int], tuple[int, int]]:
        """The position (x, y) of each cell in a panel."""
        return {(width, size): (self.sizes.index(size), self.widths.index(width)) for width, size in self.cells}

    def disturbed(self, cell: tuple[int, int]) -> Cell:
        """Return the epochs of the cell that were disturbed."""
        return {name: epochs for name, epochs in self.timed[cell].items() if name not in self.cells[cell]}


class Side(NamedTuple):
    """A side of a comparison: the fastest of these trainers in each cell."""

    name: str
    trainers: Collection[str]

    def epoch(self, cell: Cell) -> float:
        """Return the median epoch in a cell, in seconds; NaN if the cell has none of the trainers."""
        return min((epochs.value for name, epochs in cell.items() if name in self.trainers), default=math.nan)


def of(times: Timings) -> list[Map]:
    """Return the configurations' grids that have at least two batch sizes, two widths and two trainers. Disturbed epochs are left out."""
    maps: list[Map] = []
    for (configuration, kind), grid in grids(times).items():
        timed = {cell: times.of(job)[configuration] for cell, job in grid.items()}
        calm = {cell: times.calm(job, configuration) for cell, job in grid.items()}
        devices = {trainer: str(times.rows[configuration, job, trainer]["device"]) for cell, job in grid.items() for trainer in timed[cell]}
        one = Map(f"{configuration.label}, {kind}", calm, timed, devices)
        if len(one.widths) > 1 and len(one.sizes) > 1 and len(devices) > 1:
            maps.append(one)
    return maps


class Panel(NamedTuple):
    """A panel of a map. fill: draws the cells on axes whose cells have this size in inches"""

    title: str
    fill: Callable[[Axes, float], None]


def draw(maps: Sequence[Map], between: tuple[str, str] | None) -> Figure:
    """Draw two panels per map: the fastest trainer of each cell, and the speedup of one trainer over another if a cell has both.

    between: the trainer to compare with, and the trainer whose speedup is drawn; None: `_contrast` chooses the sides
    """
    sides = (Side(between[0], between[:1]), Side(between[1], between[1:])) if between else _contrast(maps)
    panels = [[_fastest(one), *_compared(one, *sides)] if sides else [_fastest(one)] for one in maps]
    below = max(len(one.sizes) for one in maps) > _BESIDE
    columns = 1 if below else max(map(len, panels))
    rows = [(one, line) for one, row in zip(maps, panels, strict=True) for line in ([[panel] for panel in row] if below else [row])]
    width = _WIDTH if below or columns > 1 else _NARROW
    inches = width / columns - _MARGIN
    titles = [[fitting.wrapped(panel.title, inches, style.TITLE) for panel in line] for _, line in rows]
    lines = [max(title.count("\n") for title in row) for row in titles]
    heights = [0.8 + 0.18 * more + _ROW * len(one.widths) for more, (one, _) in zip(lines, rows, strict=True)]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    compared = f", and speedup of {sides[1].name} over {sides[0].name}" if sides and any(len(row) > 1 for row in panels) else ""
    style.heading(figure, f"Fastest trainer{compared}")
    axes = figure.subplots(len(rows), columns, squeeze=False, height_ratios=heights)
    for drawn, (one, line), row in zip(axes, rows, titles, strict=True):
        for axis, panel, title in zip(drawn, line, row, strict=False):
            _label(axis, one, title)
            panel.fill(axis, inches / len(one.sizes))
        for axis in drawn[len(line) :]:
            axis.remove()
    return figure


def _label(axis: Axes, one: Map, title: str) -> None:
    """Write everything around the cells of a panel."""
    axis.set_title(title)
    axis.set_xlim(-0.5, len(one.sizes) - 0.5)
    axis.set_ylim(-0.5, len(one.widths) - 0.5)
    axis.set_xticks(range(len(one.sizes)), [f"{size:,}" for size in one.sizes])
    axis.set_yticks(range(len(one.widths)), [f"{width:,}" for width in one.widths])
    axis.spines[:].set_visible(False)
    axis.tick_params(length=0)
    axis.set_xlabel("mini-batch size")
    axis.set_ylabel("hidden units")


def _fastest(one: Map) -> Panel:
    """Return the panel of the fastest trainers, each with its speedup over the second."""

    def fill(axis: Axes, inches: float) -> None:
        for key, (x, y) in one.spots.items():
            won = winner(one.cells[key], one.disturbed(key)) if one.cells[key] else None
            shade = colour(won.trainer) if won else "#ffffff"
            axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=shade, ec="white", lw=2))
            size = _SIZE if inches > _NARROW_CELL else _SMALL
            name = fitting.cropped(won.trainer if won else "disturbed", inches - 0.1, _NAME_LINES, size, bold=True)
            text = "\n".join(filter(None, [name, won.lead if won else ""])) + (" *" if won and one.disturbed(key) else "")
            axis.annotate(text, (x, y), ha="center", va="center", fontweight="bold", fontsize=size, color=style.ink(shade))

    notes = [one.label, "fastest trainer, and its speedup over the second"]
    notes += [_STAR] if any(cell and one.disturbed(key) for key, cell in one.cells.items()) else []
    return Panel("\n".join(notes), fill)


def _compared(one: Map, slower: Side, faster: Side) -> list[Panel]:
    """Return the panel of the speedup of a side over the other; an empty list if no cell has both."""
    speedup = np.full((len(one.widths), len(one.sizes)), np.nan)
    texts = dict.fromkeys(product(range(len(one.sizes)), range(len(one.widths))), "-")
    for key, (x, y) in one.spots.items():
        calm, noisy = one.cells[key], one.disturbed(key)
        # A side whose disturbed trainer may be its fastest has no known epoch.
        certain = all(not side.epoch(noisy) < side.epoch(calm) for side in (slower, faster))
        times = speedup[y, x] = slower.epoch(calm) / faster.epoch(calm) if certain else np.nan
        if np.isfinite(times):
            texts[x, y] = f"{digits(times)}x" + (" *" if one.disturbed(key).keys() & {*slower.trainers, *faster.trainers} else "")
        elif all(set(side.trainers) & set(one.timed[key]) for side in (slower, faster)):
            texts[x, y] = "disturbed"
    known = speedup[np.isfinite(speedup)]
    if not known.size:
        return []
    # Between cells without a value, nothing is known about where a line runs.
    lines = [line for line in _LINES if known.size == speedup.size and known.min() < line.level < known.max()]
    notes = [f"{line.style} line: {line.level:g}x" for line in lines]
    notes += ["-: not timed"] if "-" in texts.values() else []
    notes += [_STAR] if any(text.endswith("*") for text in texts.values()) else []

    def fill(axis: Axes, inches: float) -> None:
        ends = 1.4 * math.log10(max(10.0, known.max(), 1 / known.min()))  # avoids the darkest shades, because the lines are black
        shades = axis.imshow(np.log10(speedup), cmap="PuOr_r", vmin=-ends, vmax=ends, aspect="auto", origin="lower")
        for level, dashes in lines:
            axis.contour(
                *(np.array([-0.5, *range(n), n - 0.5]) for n in (len(one.sizes), len(one.widths))),
                np.pad(np.log10(speedup), 1, mode="edge"), levels=[math.log10(level)], colors="black", linestyles=dashes, linewidths=2.5,
            )  # fmt: skip
        for (x, y), text in texts.items():
            red, green, blue, _ = shades.to_rgba(np.log10(speedup))[y, x]
            shade = mpl.colors.to_hex((red, green, blue)) if np.isfinite(speedup[y, x]) else "#ffffff"
            axis.annotate(
                text, (x, y), ha="center", va="center", fontweight="bold", fontsize=_SIZE if inches > _NARROW_CELL else _SMALL,
                color=style.ink(shade), bbox={"fc": shade, "ec": "none", "pad": 1.5},  # a line must not cross the number
            )  # fmt: skip

    return [Panel("; ".join([f"{faster.name} over {slower.name}", *notes]), fill)]


def _contrast(maps: Sequence[Map]) -> tuple[Side, Side] | None:
    """Return the sides to compare; None if there is only one trainer.

    Only trainers with an undisturbed epoch count. If all maps have trainers on both devices: the CPU and the GPU. Otherwise two trainers:
    of those in the most cells, the first of the ladder, and the one that is the fastest in most cells.
    """
    cells = [cell for one in maps for cell in one.cells.values()]
    calm = {name for cell in cells for name in cell}
    if all({"cpu", "gpu"} <= {one.devices[name] for cell in one.cells.values() for name in cell} for one in maps):
        devices = ChainMap(*(dict(one.devices) for one in maps))
        cpu, gpu = ([name for name, device in devices.items() if device == kind] for kind in ("cpu", "gpu"))
        return Side("best CPU", cpu), Side("best GPU", gpu)
    timed = Counter(name for one in maps for names in one.timed.values() for name in names if name in calm)
    if len(timed) < 2:
        return None
    often = [name for name in timed if timed[name] == max(timed.values())]
    first, *others = ladder(often if len(often) > 1 else timed)
    rest = ({name: cell[name].value for name in others if name in cell} for cell in cells)
    wins = Counter(min(epochs, key=epochs.__getitem__) for epochs in rest if epochs)
    fastest = max(others, key=wins.__getitem__)
    return Side(first, [first]), Side(fastest, [fastest])
