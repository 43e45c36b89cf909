"""Style that all charts share: fonts, titles, ticks, and saving. Colours and markers are in palette.py."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogFormatter, LogLocator, NullFormatter

from bench.analysis.timings import JobKey
from bench.machine.accelerators import SOFTWARE
from bench.plot import fitting
from bench.plot.palette import colour, contrast, marker
from bench.text.numbers import counted

_TALLEST = 60_000  # pixels; Agg draws up to 2^16
TEXT, TITLE = 10, 10.5  # points of ticks and names; of the title of a panel
DISTURBED = " (disturbed)"  # after the name or the value of a disturbed case
_HEADING, _LEGEND = 12, 9  # points
_HANDLE = 0.6  # inches of a column of the legend that are not its text
_STYLE: Any = {
    "font.size": TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": TITLE,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a name that begins with a dollar sign is not a formula
    "svg.hashsalt": "epochbench",  # the same rows give the same file
    "svg.fonttype": "none",
}


def trainer_style(trainer: str) -> dict[str, Any]:
    """Return the trainer's colour and marker as keyword arguments for Matplotlib."""
    return {"color": colour(trainer), "marker": marker(trainer)}


def hollow(look: Mapping[str, Any]) -> dict[str, Any]:
    """Return a colour and marker with a white face, as keyword arguments for Matplotlib: the mark of a disturbed case, over its line."""
    return {**look, "mfc": "white", "ls": "", "zorder": 4}


def hollow_entry() -> Line2D:
    """Return the entry of a legend that says what a hollow mark means."""
    return Line2D([], [], ls="", marker="o", mfc="white", mec="black", label="hollow: disturbed")


def ink(background: str) -> str:
    """Return black or white, whichever is easier to read on the background."""
    return max(("#000000", "#ffffff"), key=lambda text: contrast(text, background))


def heading(figure: Figure, name: str, about: str = "") -> None:
    """Write the name of the chart, and below it what it is about. The figure grows by their height."""
    inches = figure.get_figwidth() - 0.3
    text = "\n".join(fitting.wrapped(line, inches, _HEADING) for line in (name, about) if line)
    figure.suptitle(text, x=0.01, ha="left", fontsize=_HEADING)
    figure.set_figheight(figure.get_figheight() + 0.25 * (text.count("\n") + 1))


def legend(figure: Figure, marks: Mapping[str, Any], *, disturbed: bool) -> None:
    """Draw one legend below all panels, in as many columns as fit. The figure grows by its height.

    marks      what is drawn, by label
    disturbed  whether to explain hollow points
    """
    inches = figure.get_figwidth() - 0.6
    marks = {fitting.wrapped(label, inches - _HANDLE, _LEGEND): mark for label, mark in marks.items()}
    if disturbed:
        explained = hollow_entry()
        marks[str(explained.get_label())] = explained
    widest = max(fitting.width(line, _LEGEND) for label in marks for line in label.split("\n"))
    columns = max(1, int(inches / (widest + _HANDLE)))
    figure.legend(list(marks.values()), list(marks), frameon=False, loc="outside lower left", ncols=columns, fontsize=_LEGEND)
    figure.set_figheight(figure.get_figheight() + 0.2 + 0.2 * math.ceil(sum(label.count("\n") + 1 for label in marks) / columns))


def title(job: JobKey) -> str:
    """Return one line that describes the job. `subtitle` describes the machine."""
    return f"{job.workload}: {job.layers}, batch {job.batch_size}, {job.examples:,} examples"


def subtitle(rows: pd.DataFrame) -> str:
    """Return one line that describes the machine, the threads, the dtype and the data of these rows of one machine."""
    row = rows.iloc[0]
    hardware = f"{row['machine']}: {row['cpu']}, {counted(row['cores'], 'core')}" + (f", {row['gpu']}" if row["gpu"] else "")
    software = sorted(set(rows.loc[rows["accelerator_kind"] == SOFTWARE, "trainer"]))
    hardware += f" · {', '.join(software)}: {SOFTWARE}" if software else ""
    data = "MNIST" if row["dataset"] == "mnist" else row["dataset"]
    return f"{hardware} · {counted(row['threads'], 'thread')} · {row['dtype']} · {data}"


@contextmanager
def in_use() -> Iterator[None]:
    """Apply this style, and Matplotlib's defaults for the rest, to drawing and saving. A user's matplotlibrc has no effect."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def save(figures: Iterable[tuple[str, Figure]], directory: Path) -> list[Path]:
    """Write each figure into the directory as NAME.png and NAME.svg. Return the files, PNGs first.

    The second figure with the same name is called NAME~2. If a file is a symbolic link, the link is replaced, not followed.
    """
    files = []
    named: Counter[str] = Counter()
    for name, figure in figures:
        named[name] += 1
        dots = min(160, _TALLEST / figure.get_size_inches().max())
        for kind, metadata in (("png", {}), ("svg", {"Date": None})):
            files.append(directory / (f"{name}~{named[name]}.{kind}" if named[name] > 1 else f"{name}.{kind}"))
            files[-1].unlink(missing_ok=True)
            try:
                figure.savefig(files[-1], dpi=dots, metadata=metadata)
            except OSError:  # no partial picture if the disk is full
                files[-1].unlink(missing_ok=True)
                raise
    return sorted(files, key=lambda file: file.suffix)


def log_axis(axis: Axes, low: float, high: float) -> None:
    """Draw the x axis from low to high on a log scale, with plain numbers under this panel, also if panels share the axis."""
    axis.set_xscale("log")
    axis.set_xlim(low, high)
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 1000 else (1,)))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.tick_params(labelbottom=True)  # a reader of one panel should not have to look for the last one
    axis.set_axisbelow(True)


class PlainLog(LogFormatter):
    """Labels the same ticks as LogFormatter, but with plain numbers instead of formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""
