"""Markdown summary of a contribution: the machine, a table per workload, the files, and the reason for each missing case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import records
from bench.analysis import energy_use, noise
from bench.analysis.timings import BASELINE, JobKey, ladder
from bench.analysis.validate import PERSONAL
from bench.anatomy.answer import parts_table
from bench.anatomy.breakdown import breakdowns
from bench.contribute.campaign import Campaign, by_reason
from bench.stats import intervals
from bench.text.numbers import counted, digits, duration, duration_interval, times_interval
from bench.text.tables import Table, escaped

if TYPE_CHECKING:
    import pandas as pd

NAME = "summary.md"
AGAIN = "To measure the cases of a file again, delete the file and run the command again."

_AIMS = (0.90, 0.95)  # test accuracies; the table of a training shows the time to reach them
_NAMED = 6  # cases that a line names; a line with more gives their number


def text(campaign: Campaign, *, warnings: Sequence[str], complaints: Sequence[str]) -> str:
    """Return the summary of a campaign whose directory has at least one CSV."""
    directory = campaign.directory.path
    tables = {path: records.read([path]) for path in campaign.directory.csvs}
    parts = [f"# {directory.name}", _machine(next(iter(tables.values())).iloc[0]), _method(campaign.request.command, tables.values())]
    parts += [table.markdown() for rows in tables.values() for table in _tables(rows)]
    parts += ["## Files", "\n".join(_files(directory, tables))]
    if lines := list(_left_out(campaign)):
        parts += ["## Not measured", "\n".join(lines)]
    if warnings:
        parts += ["## Warnings", "\n".join(f"- {_public(warning)}" for warning in warnings)]
    checked = [f"- {_public(complaint.removeprefix(str(directory)).lstrip('/'))}" for complaint in complaints]
    parts += ["## Checks", "\n".join(checked) or "`python -m bench check` passed: complete, plausible, free of personal data."]
    return "\n\n".join(parts) + "\n"


def _machine(row: pd.Series[Any]) -> str:
    cpu = f"{row['cpu']} ({row['microarchitecture']})" if row["microarchitecture"] else row["cpu"]
    gpu = f"{row['gpu']} ({_number(row['gpu_memory_gib'])} GiB), driver {row['gpu_driver']}, CUDA {row['cuda']}" if row["gpu"] else "no GPU"
    facts = {
        "machine": f"{cpu}, {counted(row['cores'], 'core')}, {_number(row['memory_gib'])} GiB of memory; {gpu}; {row['os']}",
        "software": f"{row['python']}, NumPy {row['numpy']} on {row['blas']} with {row['blas_kernels'] or 'unknown'} kernels",
        "threads": str(row["threads"]),
        "code": (f"commit {row['commit']}" if row["commit"] else "no commit") + (", changed since then" if row["dirty"] else ""),
    }
    return "\n".join(f"- {name}: {escaped(value)}" for name, value in facts.items())


def _method(command: str, tables: Any) -> str:
    runs = sorted({(started, run) for rows in tables for started, run in zip(rows["started_at"], rows["run_id"], strict=True)})
    first, last = (runs[at][0][:16].replace("T", " ") for at in (0, -1))
    when = f"at {first}" if first == last else f"from {first} to {last}"
    return (
        f"Measured {when} UTC in {counted(len(runs), 'run')} with\n\n    {command}\n\n"
        "An epoch is one pass over the training examples. The tables show medians with 95 % intervals, which include the usual difference "
        "between two runs. A speedup is a ratio of medians. The sign (!) flags a case that was disturbed while it was timed."
    )


def _tables(rows: pd.DataFrame) -> Iterator[Table]:
    """Yield a table for each workload, and one for all cells of a grid."""
    cells: list[tuple[JobKey, pd.DataFrame]] = []
    for names, mine in rows.groupby(["kind", *records.JOB], sort=False):
        kind, *job = tuple[Any, ...](names)
        key = JobKey(*job)
        if kind == "training":
            yield _training(key, mine)
        elif key.width is None:
            yield _timing(key, mine)
        else:
            cells.append((key, mine))
    times, broken_down = breakdowns(rows)
    named = [(configuration, key, parts) for (configuration, key), parts in broken_down.items() if key.width is None]
    for number, (configuration, key, parts) in enumerate(named):
        noisy = {trainer for trainer in parts if (configuration, key, trainer) in times.noisy}
        yield parts_table(f"{key.workload}: where an epoch's time goes", parts, noisy, explained=not number)
    if cells:
        yield _grid(sorted(cells, key=lambda cell: (cell[0].width or 0, cell[0].batch_size)))


def _timing(job: JobKey, rows: pd.DataFrame) -> Table:
    times, flagged, lines, used = _times(rows), _flagged(rows), [], []
    for trainer, seconds in times.items():
        mine = rows[rows["trainer"] == trainer]
        speedup = times_interval(intervals.ratio(times[BASELINE], seconds)) if BASELINE in times and trainer != BASELINE else "-"
        share = f"{np.median(mine['fraction_of_limit']):.0%}" if mine["fraction_of_limit"].notna().all() else "-"
        epoch, software = duration_interval(intervals.median(seconds)), f"{mine['library'].iloc[0]}, {mine['device'].iloc[0]}"
        lines.append([flagged.get(trainer, trainer), epoch, speedup, str(len(seconds)), share, software])
        used.append(energy_use.energy_use(mine.iloc[0].to_dict()))
    more, cells = energy_use.columns(used)
    lines = [[*line, *energy] for line, energy in zip(lines, cells, strict=True)]
    headings = ["trainer", "epoch (95 %)", f"over {BASELINE} (95 %)", "rounds", "of peak", "library, device", *more]
    several = len(set(rows["run_id"])) > 1
    notes = ["The cases are from several runs. The speed of a machine can differ by 5 % between runs."] if several else []
    return Table(job.title, headings, lines, notes, numbers=True)


def _grid(cells: Sequence[tuple[JobKey, pd.DataFrame]]) -> Table:
    trainers = ladder(trainer for _, rows in cells for trainer in rows["trainer"])
    lines = []
    for job, rows in cells:
        flagged = _flagged(rows)
        medians = {trainer: intervals.median(seconds) for trainer, seconds in _times(rows).items()}
        epochs = [duration_interval(medians[name]) + (" (!)" if name in flagged else "") if name in medians else "-" for name in trainers]
        calm = [name for name in medians if name not in flagged]
        fastest = min(calm, key=lambda name: medians[name].value, default="-")
        lines.append([str(job.width), str(job.batch_size), f"{job.examples:,}", *epochs, fastest])
    title = f"Grid: 784-hidden-10, {cells[0][0].kind}, epochs with 95 % intervals"
    return Table(title, ["hidden", "batch size", "examples", *trainers, "fastest without (!)"], lines, numbers=True)


def _training(job: JobKey, rows: pd.DataFrame) -> Table:
    flagged, lines = _flagged(rows), []
    for trainer in ladder(rows["trainer"]):
        mine = rows[rows["trainer"] == trainer].sort_values("round")
        best = mine.iloc[int(mine["accuracy"].argmax())]
        spent = mine["seconds"].cumsum()
        reached = [duration(spent[mine["accuracy"] >= aim].iloc[0]) if (mine["accuracy"] >= aim).any() else "-" for aim in _AIMS]
        accuracy, total = f"{best['accuracy']:.2%}", duration(mine["seconds"].sum())
        lines.append([flagged.get(trainer, trainer), accuracy, str(best["round"]), *reached, total])
    headings = ["trainer", "best test accuracy", "at epoch", *(f"time to {aim * 100:.0f} %" for aim in _AIMS), "total time"]
    return Table(f"Learning curve of {job.title}", headings, lines, numbers=True)


def _times(rows: pd.DataFrame) -> dict[str, Any]:
    return {name: rows.loc[rows["trainer"] == name, "seconds"].to_numpy() for name in ladder(rows["trainer"])}


def _flagged(rows: pd.DataFrame) -> dict[str, str]:
    """Return the disturbed trainers: name -> name with the sign (!)."""
    return {one.trainer: f"{one.trainer} (!)" for one in noise.detect(rows)}


def _files(directory: Path, tables: Mapping[Path, pd.DataFrame]) -> Iterator[str]:
    for path, rows in tables.items():
        cases = len(rows[["workload", "trainer"]].drop_duplicates())
        charts = sorted(chart.name for chart in directory.glob(f"{path.stem}-*.png"))
        drawn = f"; charts: {', '.join(f'[{chart}]({chart})' for chart in charts)}" if charts else ""
        yield f"- [{path.name}]({path.name}): {counted(cases, 'case')}, {counted(len(rows), 'row')}{drawn}"


def _left_out(campaign: Campaign) -> Iterator[str]:
    for reason, trainers in by_reason(campaign.absent).items():
        yield f"- {escaped(', '.join(trainers))}: {_public(reason)}"
    for outcome in campaign.outcomes:
        for ending, reasons in (("skipped: ", outcome.skipped), ("failed: ", outcome.failed), ("", outcome.left_out)):
            for reason, cases in by_reason(reasons).items():
                names = ", ".join(case.title for case in cases) if len(cases) <= _NAMED else counted(len(cases), "case")
                yield f"- {outcome.stage.name}: {escaped(names)}: {ending}{_public(reason)}"


def _public(message: str) -> str:
    """Return a message for Markdown. Withhold it if it contains personal data, such as a path in a message of a library."""
    personal = [what for what, pattern in PERSONAL.items() if pattern.search(message)]
    return escaped(f"(the message contains {' and '.join(personal)}, so only the terminal shows it)" if personal else message)


def _number(value: float) -> str:
    return digits(value) if value == value else "?"
