"""Selection of the charts for a set of rows, and their files.

To add a chart, write a module with `draw`, which returns a figure (learning.py is a short one), and add a `yield` to `figures`.
Charts are readable without colour: bars have names and values, and lines have different markers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from bench import records
from bench.analysis import namesakes
from bench.analysis.crossovers import grids
from bench.analysis.timings import BASELINE, Configuration, JobKey, timings
from bench.anatomy.breakdown import Breakdown, breakdowns
from bench.machine.accelerators import labelled
from bench.machine.identity import slug
from bench.plot import along_commits, anatomy, bars, curves, history, learning, machines, maps, pair_ratios, roofline, scaling, style
from bench.stats import intervals
from bench.system import git
from impls.errors import unknown

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison
    from bench.analysis.history import History
    from bench.anatomy.answer import Anatomy
    from bench.bisect.answer import Answer as Bisection
    from bench.history.answer import Answer as Series
    from bench.paired.duel import Duel
    from bench.paired.pair import Pair

_MOST_JOBS = 8  # in the anatomy of a grid
_LIMITS = ["flops", "bytes", "peak_flops", "peak_bytes"]


def draw(paths: Sequence[Path], directory: Path | None = None) -> list[Path]:
    """Draw every chart that the rows of these CSVs allow, as PNG and SVG. Return the files, PNGs first.

    paths      CSVs, or directories of CSVs
    directory  of the charts (default: that of the first CSV)
    If there is a single CSV, the names of the charts begin with its name.
    """
    paths = records.files(paths)
    table = namesakes.read(paths)
    directory = paths[0].parent if directory is None else directory
    records.check_writable(directory, option="-o")
    groups = list(table.groupby(["machine", "dataset", "dtype", "threads"], sort=False))
    stem = [paths[0].stem] if len(paths) == 1 else []
    one_of_many = [[slug("-".join(map(str, key)))] if len(groups) > 1 else [] for key, _ in groups]
    with style.in_use():
        named = (
            ("-".join([*stem, *group, name]), figure)
            for group, (_, rows) in zip(one_of_many, groups, strict=True)
            for name, figure in figures(rows)
        )
        return style.save(named, directory)


def figures(rows: pd.DataFrame) -> Iterator[tuple[str, Figure]]:
    """Yield (name, figure) for rows of one machine, dataset, dtype and number of threads."""
    shared = scaling.several_ranks(rows)
    times = timings(rows[~shared])
    all_grids = grids(times)
    for configuration in times.configurations:
        mine = rows[~shared & (rows["kind"] == "timing") & (rows["ranks"] == configuration.ranks) & rows["run_id"].isin(configuration.runs)]
        subtitle = style.subtitle(mine) + (f" · {configuration.label}" if len(times.configurations) > 1 else "")
        named = {job: timed[configuration] for job in times.jobs if job.width is None and configuration in (timed := times.of(job))}
        disturbed = {(job, trainer) for whose, job, trainer in times.noisy if whose is configuration}
        labels = {trainer: labelled(trainer, row) for (whose, _, trainer), row in times.rows.items() if whose is configuration}
        if any(BASELINE in timed and len(timed) > 1 for timed in named.values()):
            yield "speedup", bars.speedup(named, subtitle, labels, disturbed)
        if named:
            yield "epoch-time", bars.epoch_time(named, subtitle, labels, disturbed)
        limited = mine[mine["workload"].isin([job.workload for job in named]) & (mine[_LIMITS] > 0).all(axis=1)]
        if not limited.empty:
            yield "roofline", roofline.draw(times, configuration, limited, subtitle)
        divided, parts = breakdowns(mine)
        by_job = {job: of for (_, job), of in parts.items() if job.width is None or len(parts) <= _MOST_JOBS}
        if by_job:
            yield "anatomy", anatomy.draw(by_job, subtitle, {(job, trainer) for _, job, trainer in divided.noisy})
        for (whose, _), grid in all_grids.items():
            if whose == configuration:
                yield from curves.throughputs(times, configuration, grid, subtitle)
    if mapped := maps.of(times):
        yield "map", maps.draw(mapped, None)
    runs = list(rows[shared].groupby("run_id", sort=False))
    for run_id, run in runs:
        yield "scaling", scaling.draw(timings(run), style.subtitle(run) + (f" · run {run_id}" if len(runs) > 1 else ""))
    training = rows[rows["kind"] == "training"]
    for (workload, *_), job in training.groupby(list(records.JOB), sort=False):
        yield f"learning-{slug(str(workload))}", learning.draw(job)


def draw_comparison(answer: Comparison, directory: Path, between: tuple[str, str] | None = None) -> list[Path]:
    """Draw the machines of a `compare` side by side, and their maps, as PNG and SVG in the directory. Return the files.

    between: the two trainers whose speedup the map shows. Raises InputError if one of them was not timed.
    """
    records.check_writable(directory, option="-o")
    times, drawn = answer.timings, []
    for name in between or ():
        if name not in times.trainers():
            raise unknown("trainer", name, times.trainers())
    with style.in_use():
        if named := [job for job in times.jobs if job.width is None]:
            drawn.append(("machines", machines.draw(times, named)))
        if mapped := maps.of(times):
            drawn.append(("map", maps.draw(mapped, between)))
        return style.save(drawn, directory)


def draw_anatomy(answer: Anatomy, directory: Path) -> list[Path]:
    """Draw the breakdowns of an `anatomy` in the directory: anatomy.png and .svg, or a pair for each configuration, dataset and dtype."""
    records.check_writable(directory, option="-o")
    groups: dict[tuple[Configuration, str, str], dict[JobKey, Mapping[str, Breakdown]]] = {}
    for (configuration, job), parts in answer.breakdowns.items():
        groups.setdefault((configuration, job.dataset, job.dtype), {})[job] = parts
    drawn = []
    for (configuration, dataset, dtype), jobs in groups.items():
        job, parts = next(iter(jobs.items()))
        subtitle = style.subtitle(pd.DataFrame([answer.timings.rows[configuration, job, next(iter(parts))]]))
        name = slug(f"anatomy {configuration.label} {dataset} {dtype}") if len(groups) > 1 else "anatomy"
        noisy = {(job, trainer) for whose, job, trainer in answer.timings.noisy if whose is configuration}
        drawn.append((name, jobs, subtitle + (f" · {configuration.label}" if len(groups) > 1 else ""), noisy))
    with style.in_use():
        return style.save([(name, anatomy.draw(jobs, subtitle, noisy)) for name, jobs, subtitle, noisy in drawn], directory)


def draw_history(answer: History, directory: Path) -> list[Path]:
    """Draw the epoch times of a `compare --over-time` as history.png and history.svg in the directory. Return the files."""
    records.check_writable(directory, option="-o")
    with style.in_use():
        return style.save([("history", history.draw(answer, git.own_subjects(answer.hashes)))], directory)


def draw_ratios(
    duel: Duel, stages: Mapping[str, Sequence[Pair]], ratio: intervals.Interval, stem: Path, *, margin: float | None = None
) -> list[Path]:
    """Draw the ratio a / b of each pair of a duel, and the overall ratio, as stem.png and stem.svg. Return the files.

    stages, margin  as for `pair_ratios.draw`
    """
    with style.in_use():
        return style.save([(stem.name, pair_ratios.draw(duel, stages, ratio, margin))], stem.parent)


def draw_bisection(answer: Bisection, stem: Path) -> list[Path]:
    """Draw the ratios along the commits of a search, as stem.png and stem.svg. Return the files."""
    culprits = answer.found.culprits
    names = " and ".join(str(answer.commits[culprit.commits[-1]])[:70] for culprit in culprits)
    title = f"{answer.trainer} became slower in\n{names}" if names else f"{answer.trainer}: no culprit found"
    steps = [along_commits.Step(culprit.before, culprit.commits[-1], culprit.ratio.value) for culprit in culprits]
    with style.in_use():
        figure = along_commits.draw(
            title, answer.trainer, answer.commits, answer.ratios(), steps, skipped=answer.found.skipped, odds=answer.probabilities()
        )
        return style.save([(stem.name, figure)], stem.parent)


def draw_series(answer: Series, stem: Path) -> list[Path]:
    """Draw the ratios along the commits of a history, as stem.png and stem.svg. Return the files."""
    ratios = answer.intervals()
    steps = [
        along_commits.Step(max(at for at in ratios if at < change.commit), change.commit, change.ratio.value) for change in answer.changes()
    ]
    title = f"Epoch time of {answer.trainer} at each commit, over that at {answer.commits[0].short}"
    with style.in_use():
        figure = along_commits.draw(title, answer.trainer, answer.commits, ratios, steps, skipped=answer.skipped)
        return style.save([(stem.name, figure)], stem.parent)
