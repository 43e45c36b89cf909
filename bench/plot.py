"""Records in, pictures out: speedup and epoch time a workload, throughput over a grid, accuracy against training time.

Made to be read without colour: bars carry their names and values, lines differ by marker and are labelled where they end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bench import intervals, records, scaling_plot
from bench.crossings import Cells, grids
from bench.format import counted, digits, duration
from bench.history import History, commits
from bench.machine import slug
from bench.setups import Job, Timings, ladder, timings
from impls import TRAINERS
from impls.errors import unknown

if TYPE_CHECKING:
    from bench.compare import Comparison
    from bench.duel import Duel, Pair

BASELINE = "loop"

# Okabe and Ito's colours and some of P. Tol's, told apart by colour-blind eyes; one for every trainer of the ladder. Where two are
# alike in grey the markers differ.
_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#661100"),
    *("#DDCC77", "#000000", "#882255", "#999933", "#44AA99", "#332288"),
)
_MARKERS = "osD^vPdhX*<>p"
_TALLEST = 60_000  # pixels; Agg draws no more than 2^16
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "svg.hashsalt": "epochbench",  # the same rows make the same file
    "svg.fonttype": "none",
}


def charts(paths: Sequence[Path], directory: Path | None = None) -> list[Path]:
    """Draw every chart that the rows of these CSVs allow, as PNG and SVG, and return the files, PNGs first.

    directory: where they go; by default beside the first CSV. A chart of a single CSV bears its name.
    """
    table = records.read(paths)
    directory = paths[0].parent if directory is None else directory
    records.check_writable(directory, option="-o")
    groups = list(table.groupby(["machine", "dataset", "dtype", "threads"], sort=False))
    files = []
    for key, rows in groups:
        for name, figure in _figures(rows):
            parts = [paths[0].stem] if len(paths) == 1 else []
            parts += [slug("-".join(map(str, key)))] if len(groups) > 1 else []
            files += [_save(figure, directory / f"{'-'.join([*parts, name])}.{kind}") for kind in ("png", "svg")]
    return sorted(files, key=lambda file: file.suffix)


def _figures(rows: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    shared = scaling_plot.several_ranks(rows)
    timing, training = rows[(rows["kind"] == "timing") & ~shared], rows[rows["kind"] == "training"]
    grid = _grid(timing)
    named = timing[~timing.index.isin(grid.index)]
    with mpl.rc_context(_STYLE):
        if (named["trainer"] == BASELINE).any() and (named["trainer"] != BASELINE).any():
            yield "speedup", _bars(named, f"Speedup of a training epoch over the per-example {BASELINE}", "times faster (log)", _speedups)
        if not named.empty:
            yield "epoch-time", _bars(named, "Time of a training epoch", "seconds (log)", _times)
        limited = named[named["peak_flops"].notna()]
        if not limited.empty:
            yield "roofline", _roofline(limited)
        for varied, fixed in (("batch_size", "width"), ("width", "batch_size")):
            if grid.groupby(fixed)[varied].nunique().max() > 1 if not grid.empty else False:
                yield f"throughput-by-{varied.replace('_', '-')}", _curves(grid, varied, fixed)
        maps = list(_maps(timings(grid)))
        if maps:
            yield "map", _map(maps, None)
        if shared.any():
            yield "scaling", scaling_plot.figure(rows[shared], _subtitle(rows[shared]))
        for workload, job in training.groupby("workload", sort=False):
            yield f"learning-{slug(str(workload))}", _learning(job)


# --- bars: one panel a workload, one bar a trainer ---------------------------------------------------------------------------------

Bars = list[tuple[str, intervals.Interval, str]]  # trainer, length, label


def _bars(rows: pd.DataFrame, title: str, unit: str, measure: Callable[[dict[str, Any]], Bars]) -> Figure:
    jobs = [(job, rows) for job, rows in rows.groupby(list(records.JOB), sort=False)]
    panels = [(rows, bars) for _, rows in jobs if (bars := measure(_seconds(rows)))]
    figure = Figure(figsize=(7.2, 1.3 + sum(0.75 + 0.36 * len(bars) for _, bars in panels)), layout="constrained")
    figure.suptitle(f"{title}\n{_subtitle(rows)}", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[0.75 + 0.36 * len(bars) for _, bars in panels], sharex=True)[:, 0]
    low = min(bar.low for _, bars in panels for _, bar, _ in bars)
    high = max(bar.high for _, bars in panels for _, bar, _ in bars)
    reach = max(high / low, 2.0)
    for axis, (job, bars) in zip(axes, panels, strict=True):
        axis.set_title(_job(job.iloc[0]))
        for place, (name, bar, label) in enumerate(bars):
            colour = "#8c8c8c" if name == BASELINE else _colour(name)
            if measure is _speedups:  # a ratio has a natural start, 1; a time on a log axis has none, so it is a point
                axis.barh(place, bar.value - 1, left=1, height=0.62, color=colour)
            axis.errorbar(
                bar.value, place, xerr=[[bar.value - bar.low], [bar.high - bar.value]], color="black", capsize=4, lw=1.3,
                marker="" if measure is _speedups else _marker(name), mfc=colour, ms=9,
            )  # fmt: skip
            axis.annotate(label, (bar.high, place), xytext=(9, 0), textcoords="offset points", va="center", fontweight="bold")
        axis.set_xscale("log")
        axis.set_xlim(1 if measure is _speedups and low == 1 else low / reach**0.08, high * reach**0.16)
        axis.set_ylim(len(bars) - 0.4, -0.6)
        axis.set_yticks(range(len(bars)), [name for name, _, _ in bars])
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if reach < 1000 else (1,)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="x", color="#e4e4e4")
        axis.set_axisbelow(True)
    axes[-1].set_xlabel(f"{unit}; median, whisker: 95 % interval")
    return figure


def _times(seconds: dict[str, Any]) -> Bars:
    return [(name, bar := intervals.median(values), duration(bar.value)) for name, values in seconds.items()]


def _speedups(seconds: dict[str, Any]) -> Bars:
    if BASELINE not in seconds:
        return []
    base = seconds[BASELINE]
    return [
        (name, bar := intervals.ratio(base, values) if name != BASELINE else intervals.Interval(1, 1, 1), f"{digits(bar.value)}x")
        for name, values in seconds.items()
    ]


# --- roofline: what is reached of what the machine can do ----------------------------------------------------------------------------


def _roofline(rows: pd.DataFrame) -> Figure:
    """Operations a second against operations a byte, below what the machine was measured to do at most; one panel a device."""
    devices = [(device, cells) for device, cells in rows.groupby("device", sort=False)]
    figure = Figure(figsize=(7.2, 1.2 + 3.6 * len(devices)), layout="constrained")
    figure.suptitle(f"How far from the limit\n{_subtitle(rows)}", x=0.01, ha="left", fontsize=12)
    for axis, (device, cells) in zip(figure.subplots(len(devices), 1, squeeze=False)[:, 0], devices, strict=True):
        peak, moved = cells["peak_flops"].median(), cells["peak_bytes"].median()
        intensity = cells["flops"] / cells["bytes"]
        x = np.geomspace(min(intensity.min(), peak / moved) / 3, max(intensity.max(), peak / moved) * 3, 200)
        axis.plot(x, np.minimum(peak, x * moved) / 1e9, color="black", lw=1.8)
        axis.annotate(f"{peak / 1e9:,.0f} GFLOP/s, a large product", (peak / moved, peak / 1e9), xytext=(0, 5), textcoords="offset points")
        axis.annotate(
            f"{moved / 1e9:,.0f} GB/s, a large copy", (x[0], x[0] * moved / 1e9), xytext=(8, -2), textcoords="offset points", va="top"
        )
        at = (cells["flops"] / cells["bytes"]).groupby(cells["workload"], sort=False).median()
        for trainer in ladder(cells["trainer"]):
            points = [
                (one["flops"] / one["bytes"], one["flops"] / epochs["seconds"].median() / 1e9)
                for _, epochs in cells[cells["trainer"] == trainer].groupby("workload", sort=False)
                for one in [epochs.iloc[0]]
            ]
            axis.plot(*zip(*points, strict=True), ls="", marker=_marker(trainer), color=_colour(trainer), ms=8, label=trainer)
        for workload, intensity in at.items():
            axis.annotate(workload, (intensity, 0.03), xycoords=("data", "axes fraction"), ha="center", fontweight="bold")
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_title(str(device).upper())
        axis.set_ylim(bottom=axis.get_ylim()[0] / 2)  # room for the names
        axis.set_ylabel("GFLOP/s (log)")
        axis.set_xlabel("operations a byte (log); compiled's are those on pixels that are not 0" if "compiled" in set(cells["trainer"])
                        else "operations a byte (log)")  # fmt: skip
        for ticks in (axis.xaxis, axis.yaxis):
            ticks.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axis.grid(color="#e4e4e4")
        axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


# --- curves: throughput over a grid of batch sizes and widths ----------------------------------------------------------------------


def _grid(timing: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one-hidden-layer cases that differ in batch size or width alone, with their width."""
    rows = timing[timing["workload"].str.fullmatch(r"h\d+-b\d+")].copy()
    rows["width"] = rows["workload"].str.extract(r"h(\d+)-", expand=False).astype(int)
    return rows


def _curves(grid: pd.DataFrame, varied: str, fixed: str) -> Figure:
    panels = [(value, rows) for value, rows in grid.groupby(fixed) if rows[varied].nunique() > 1]
    names = {"batch_size": "mini-batch size", "width": "hidden units"}
    figure = Figure(figsize=(max(6.4, 1.2 + 4.4 * len(panels)), 4.6), layout="constrained")
    figure.suptitle(f"Throughput against {names[varied]}\n{_subtitle(grid)}", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axis, (value, rows) in zip(axes, panels, strict=True):
        curves = {}
        for trainer in ladder(rows["trainer"]):
            points = []
            for x, cell in rows[rows["trainer"] == trainer].groupby(varied):
                epoch = intervals.median(cell["seconds"].to_numpy())
                examples = cell["examples"].iloc[0]
                points.append((float(str(x)), examples / epoch.value, examples / epoch.high, examples / epoch.low))
            x, y, low, high = np.array(points).T
            curves[trainer] = (x, y)
            axis.errorbar(
                x, y, yerr=(y - low, high - y), color=_colour(trainer), marker=_marker(trainer), capsize=3, lw=1.6, ms=6, label=trainer
            )
        axis.set_xscale("log")
        axis.set_yscale("log")
        for (first, a), (second, b) in combinations(curves.items(), 2):
            for x, y, second_leads in _crossings(a, b):
                axis.plot(x, y, "o", ms=14, mfc="none", mec="black", mew=1.4)
                leader, other = (second, first) if second_leads else (first, second)
                label = f"{leader} passes {other}\nat {digits(x)}"
                axis.annotate(label, (x, y), xytext=(9, -26), textcoords="offset points", fontsize=9)
        axis.set_title(f"{value} {names[fixed]}" if fixed == "width" else f"{names[fixed]} {value}")
        ticks = sorted(rows[varied].unique())
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.0f}"))
        axis.yaxis.set_minor_locator(LogLocator(subs=range(2, 10)))
        axis.set_xlabel(f"{names[varied]} (log)")
        axis.grid(color="#e4e4e4")
        axis.legend(frameon=False)
    axes[0].set_ylabel("examples per second (log)")
    return figure


def _crossings(a: tuple[Any, Any], b: tuple[Any, Any]) -> list[tuple[float, float, bool]]:
    """Return where curve b overtakes a or falls behind: x, y, and whether b leads from there on.

    Interpolated between neighbouring points that both curves have, as straight lines on log axes.
    """
    x = np.intersect1d(a[0], b[0])
    log_a, log_b = (np.log(curve[1][np.isin(curve[0], x)]) for curve in (a, b))
    lead, found = log_b - log_a, []
    for i in np.flatnonzero(lead[:-1] * lead[1:] < 0):
        share = lead[i] / (lead[i] - lead[i + 1])
        log_x = np.log(x[i]) + share * np.log(x[i + 1] / x[i])
        found.append((float(np.exp(log_x)), float(np.exp(log_a[i] + share * (log_a[i + 1] - log_a[i]))), bool(lead[i + 1] > 0)))
    return found


# --- maps: who is fastest over batch sizes and widths -------------------------------------------------------------------------------


def _maps(times: Timings) -> Iterator[tuple[str, Cells]]:
    """Yield, each with its name, the setups' grids that have two sizes at least in both directions and two trainers."""
    for (setup, kind), cells in grids(times).items():
        widths, sizes = ({place[axis] for place in cells} for axis in (0, 1))
        if len(widths) > 1 and len(sizes) > 1 and len({name for cell in cells.values() for name in cell}) > 1:
            yield f"{setup.label}, {kind}", cells


def _map(maps: Sequence[tuple[str, Cells]], between: tuple[str, str] | None) -> Figure:
    """Draw, a row for each map, the fastest trainer of each cell and how many times as fast one trainer is as another."""
    slower, faster = between or _contrast(maps)
    figure = Figure(figsize=(11, 0.9 + 3.4 * len(maps)), layout="constrained")
    figure.suptitle(f"Who is fastest, and by how much {faster} is faster than {slower}", x=0.01, ha="left", fontsize=12)
    for (label, cells), (left, right) in zip(maps, figure.subplots(len(maps), 2, squeeze=False), strict=True):
        widths, sizes = (sorted({place[axis] for place in cells}) for axis in (0, 1))
        spots = {place: (sizes.index(place[1]), widths.index(place[0])) for place in cells}
        speedup = np.full((len(widths), len(sizes)), np.nan)
        for place, cell in cells.items():
            x, y = spots[place]
            best = min(cell, key=lambda name: cell[name].value)
            left.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, fc=_colour(best), ec="white", lw=2))
            left.annotate(best, (x, y), ha="center", va="center", fontweight="bold", fontsize=9, color=_ink(_colour(best)))
            if slower in cell and faster in cell:
                speedup[y, x] = cell[slower].value / cell[faster].value
        far = max(10.0, np.nanmax(np.maximum(speedup, 1 / speedup))) if np.isfinite(speedup).any() else 10.0
        ends = 1.4 * math.log10(far)  # leaves the darkest shades out: the lines are black
        shade = right.imshow(np.log10(speedup), cmap="PuOr_r", vmin=-ends, vmax=ends, aspect="auto", origin="lower")
        for (y, x), times in np.ndenumerate(speedup):
            if np.isfinite(times):
                ink = _ink(mpl.colors.to_hex(shade.cmap(shade.norm(math.log10(times)))))
                right.annotate(f"{digits(times)}x", (x, y), ha="center", va="center", fontweight="bold", color=ink)
        for level, style in ((1.0, "solid"), (10.0, "dashed")):
            if np.nanmin(speedup, initial=np.inf) < level < np.nanmax(speedup, initial=0):
                right.contour(
                    *(np.array([-0.5, *range(n), n - 0.5]) for n in (len(sizes), len(widths))), np.pad(np.log10(speedup), 1, mode="edge"),
                    levels=[math.log10(level)], colors="black", linestyles=style, linewidths=2.5,
                )  # fmt: skip
        left.set_title(f"{label}: the fastest trainer")
        right.set_title(f"{faster} over {slower}; lines: 1x solid, 10x dashed")
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


def _contrast(maps: Sequence[tuple[str, Cells]]) -> tuple[str, str]:
    """Return the two trainers to compare: the lowest on the ladder, and of the others that which wins the most cells."""
    cells = [cell for _, grid in maps for cell in grid.values()]
    first, *others = ladder(name for cell in cells for name in cell)
    wins = [min((name for name in cell if name != first), key=lambda name: cell[name].value, default=others[0]) for cell in cells]
    return first, max(others, key=wins.count)


def _ink(background: str) -> str:
    """Return black or white, whichever is read better on the colour."""
    red, green, blue = mpl.colors.to_rgb(background)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


# --- several machines --------------------------------------------------------------------------------------------------------------


def comparison(answer: Comparison, directory: Path, between: tuple[str, str] | None = None) -> list[Path]:
    """Draw the machines of a `compare` beside each other, and their maps, as PNG and SVG in the directory; return the files.

    between: the two trainers of the speedup's map. Raises InputError if one of them was not timed.
    """
    records.check_writable(directory, option="-o")
    times, figures = answer.timings, {}
    for name in between or ():
        if name not in times.trainers():
            raise unknown("trainer", name, times.trainers())
    with mpl.rc_context(_STYLE):
        named = [job for job in times.jobs if job.width is None]
        if named:
            figures["machines"] = _machines(times, named)
        maps = list(_maps(times))
        if maps:
            figures["map"] = _map(maps, between)
    return [_save(figure, directory / f"{name}.{kind}") for kind in ("png", "svg") for name, figure in figures.items()]


def _machines(times: Timings, jobs: Sequence[Job]) -> Figure:
    """One panel a job, one line a setup, one mark a trainer: the leftmost is the fastest."""
    heights = [1.0 + 0.42 * len(times.of(job)) for job in jobs]
    figure = Figure(figsize=(8.4, 1.4 + sum(heights)), layout="constrained")
    figure.suptitle("Time of a training epoch by machine", x=0.01, ha="left", fontsize=12)
    axes = figure.subplots(len(jobs), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
    for axis, job in zip(axes, jobs, strict=True):
        setups = list(times.of(job))
        for trainer in times.trainers(job):
            marks = [(*times.epochs[setup, job, trainer].interval(), place) for place, setup in enumerate(setups)
                     if (setup, job, trainer) in times.epochs]  # fmt: skip
            value, low, high, place = np.array(marks).T
            axis.errorbar(value, place, xerr=(value - low, high - value), ls="", marker=_marker(trainer), color=_colour(trainer), ms=8,
                          ecolor="black", capsize=3, label=trainer)  # fmt: skip
        for place, setup in enumerate(setups):
            seconds = {name: times.epochs[setup, job, name].value for name in times.trainers(job) if (setup, job, name) in times.epochs}
            best = min(seconds, key=seconds.__getitem__)
            axis.annotate(f"{best} {duration(seconds[best])}", (seconds[best], place), xytext=(0, 9), textcoords="offset points",
                          ha="center", fontsize=9, fontweight="bold")  # fmt: skip
        axis.set_title(job.title)
        axis.set_xscale("log")
        axis.set_ylim(len(setups) - 0.4, -0.7)
        axis.set_yticks(range(len(setups)), [setup.label for setup in setups])
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.grid(axis="both", color="#e4e4e4")
        axis.set_axisbelow(True)
    axes[-1].set_xlabel("seconds (log); median, whisker: 95 % interval")
    low, high = axes[0].get_xlim()  # the panels share it
    axes[0].set_xlim(low / (high / low) ** 0.06, high)
    legend = {label: mark for axis in axes for mark, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(list(legend.values()), list(legend), frameon=False, loc="outside lower left", ncols=6, fontsize=9)
    return figure


def history(answer: History, directory: Path) -> list[Path]:
    """Draw the courses of a `compare --over-time` as history.png and history.svg in the directory."""
    records.check_writable(directory, option="-o")
    panels = answer.panels()
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8.4, 1.0 + 3.0 * len(panels)), layout="constrained")
        figure.suptitle("Epoch time over commits; a ring where the intervals part", x=0.01, ha="left", fontsize=12)
        for axis, (title, courses) in zip(figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True):
            places = {commit: place for place, (_, commit) in enumerate(commits(courses))}
            for course in courses:
                x = [places[point.commit] for point in course.points]
                value, low, high = np.array([point.epoch for point in course.points]).T
                colour = _colour(course.trainer)
                axis.errorbar(
                    x, value, yerr=(value - low, high - value), color=colour, marker=_marker(course.trainer), capsize=3, lw=1.5,
                    label=course.trainer,
                )  # fmt: skip
                for place, point in zip(x, course.points, strict=True):
                    if point.change:
                        axis.plot(place, point.epoch.value, "o", ms=16, mfc="none", mec="black", mew=1.5)
                        times = max(point.change.value, 1 / point.change.value)
                        word = f"{digits(times)}x {'faster' if point.change.value > 1 else 'slower'}"
                        axis.annotate(
                            word, (place, point.epoch.value), xytext=(0, 13), textcoords="offset points", ha="center", fontsize=9,
                            fontweight="bold", color=colour, bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 1},
                        )  # fmt: skip
            axis.set_title(title)
            axis.set_yscale("log")
            axis.margins(y=0.2)
            axis.set_xticks(range(len(places)), [commit[:20] for commit in places], rotation=30 if len(places) > 6 else 0)
            low, high = axis.get_ylim()
            axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
            axis.yaxis.set_minor_formatter(NullFormatter() if high > 10 * low else FuncFormatter(lambda y, _: f"{y:g}"))
            axis.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
            axis.set_ylabel("seconds (log)")
            axis.grid(axis="y", color="#e4e4e4")
    return [_save(figure, directory / f"history.{kind}") for kind in ("png", "svg")]


# --- learning curves ---------------------------------------------------------------------------------------------------------------


def _learning(rows: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    figure.suptitle(f"Test accuracy against training time\n{_subtitle(rows)}", x=0.01, ha="left", fontsize=12)
    axis = figure.subplots()
    axis.set_title(_job(rows.iloc[0]))
    for trainer in ladder(rows["trainer"]):
        for number, (_, curve) in enumerate(rows[rows["trainer"] == trainer].groupby("run_id", sort=False)):
            curve = curve.sort_values("round")
            x, y = curve["seconds"].cumsum().to_numpy(), 100 * curve["accuracy"].to_numpy()
            best = int(y.argmax())
            axis.plot(
                x, y, color=_colour(trainer), marker=_marker(trainer), ms=4, lw=1.4,
                label=f"{trainer}: best {y[best]:.2f} %, epoch {curve['round'].iloc[best]}, after {duration(x[best])}",
                alpha=1 if number == 0 else 0.5,
            )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_xlabel("seconds of training (log); a mark is an epoch")
    axis.set_ylabel("test accuracy, %")
    axis.grid(color="#e4e4e4")
    axis.legend(frameon=False, loc="lower right")
    return figure


# --- duels: the ratio of each pair of processes ------------------------------------------------------------------------------------


def ratios(duel: Duel, pairs: Sequence[Pair], ratio: intervals.Interval, stem: Path) -> list[Path]:
    """Draw a duel's ratios, a over b, pair by pair, with the interval of their centre, as stem.png and stem.svg."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        figure.suptitle(f"Epoch time of {duel.a.name} over that of {duel.b.name}\n{duel.title}", x=0.01, ha="left", fontsize=12)
        axis = figure.subplots()
        values = [math.exp(pair.log_ratio) for pair in pairs]
        if ratio.low > 0 and ratio.high < math.inf:
            axis.axhspan(ratio.low, ratio.high, color="#0072B2", alpha=0.2, lw=0, label=f"95 %: {ratio.low:.3f} to {ratio.high:.3f}")
        axis.axhline(ratio.value, color="#0072B2", lw=1.6, label=f"centre: {ratio.value:.3f}")
        axis.plot(range(1, len(values) + 1), values, "o", color="black", ms=5, label="a new process of each")
        if min(*values, ratio.value) / 1.25 < 1 < max(*values, ratio.value) * 1.25:
            axis.axhline(1, color="#8c8c8c", lw=1.2, ls="--", label="as fast")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.set_xlabel(f"pair of processes, {counted(duel.threads, 'thread')}")
        axis.set_ylabel("ratio")
        axis.grid(axis="y", color="#e4e4e4")
        figure.legend(frameon=False, loc="outside lower left", ncols=4, fontsize=9)
    return [_save(figure, stem.with_name(f"{stem.name}.{kind}")) for kind in ("png", "svg")]


# --- shared ------------------------------------------------------------------------------------------------------------------------


def _seconds(rows: pd.DataFrame) -> dict[str, Any]:
    """Return each trainer's times, (rounds,), in ladder order."""
    return {name: rows.loc[rows["trainer"] == name, "seconds"].to_numpy() for name in ladder(rows["trainer"])}


def _place(trainer: str) -> int:
    names = list(TRAINERS)
    return names.index(trainer) if trainer in names else len(names) + sum(map(ord, trainer))


def _colour(trainer: str) -> str:
    return _COLOURS[_place(trainer) % len(_COLOURS)]


def _marker(trainer: str) -> str:
    return _MARKERS[_place(trainer) % len(_MARKERS)]


def _job(row: pd.Series[Any]) -> str:
    return f"{row['workload']}: {row['layers']}, batch {row['batch_size']}, {row['examples']:,} examples"


def _subtitle(rows: pd.DataFrame) -> str:
    row = rows.iloc[0]
    hardware = f"{row['cpu']}, {counted(row['cores'], 'core')}" + (f", {row['gpu']}" if row["gpu"] else "")
    data = "MNIST" if row["dataset"] == "mnist" else row["dataset"]
    return f"{hardware} · {counted(row['threads'], 'thread')} · {row['dtype']} · {data}"


def _save(figure: Figure, path: Path) -> Path:
    with mpl.rc_context(_STYLE):
        dots = min(160, _TALLEST / figure.get_size_inches().max())
        figure.savefig(path, dpi=dots, metadata={"Date": None} if path.suffix == ".svg" else {})
    return path
