"""Style that all charts share: fonts, titles, ticks, and saving. Colours and markers are in palette.py."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from bench.analysis.timings import JobKey
from bench.machine.accelerators import SOFTWARE
from bench.plot.palette import colour, marker
from bench.text.numbers import counted

_TALLEST = 60_000  # pixels; Agg draws up to 2^16
_STYLE: Any = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "text.parse_math": False,  # a name that begins with a dollar sign is not a formula
    "svg.hashsalt": "epochbench",  # the same rows give the same file
    "svg.fonttype": "none",
}


def trainer_style(trainer: str) -> dict[str, Any]:
    """Return the trainer's colour and marker as keyword arguments for Matplotlib."""
    return {"color": colour(trainer), "marker": marker(trainer)}


def ink(background: str) -> str:
    """Return black or white, whichever is easier to read on the background."""
    red, green, blue = mpl.colors.to_rgb(background)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"


def title(job: JobKey) -> str:
    """Return one line that describes the job. `subtitle` describes the machine."""
    return f"{job.workload}: {job.layers}, batch {job.batch_size}, {job.examples:,} examples"


def subtitle(rows: pd.DataFrame) -> str:
    """Return one line that describes the machine, the threads, the dtype and the data of these rows of one machine."""
    row = rows.iloc[0]
    hardware = f"{row['cpu']}, {counted(row['cores'], 'core')}" + (f", {row['gpu']}" if row["gpu"] else "")
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


class PlainLog(LogFormatter):
    """Labels the same ticks as LogFormatter, but with plain numbers instead of formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        return f"{x:g}" if super().__call__(x, pos) else ""
