"""The summary of a contribution, as Markdown: the machine, a table a workload, the files, and what is missing and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bench import records
from bench.analysis import noise
from bench.analysis.timings import BASELINE, JobKey, ladder
from bench.analysis.validate import PERSONAL
from bench.stats import intervals
from bench.text.numbers import counted, digits, duration, duration_interval, times_interval
from bench.text.tables import Table, escaped

if TYPE_CHECKING:
    import pandas as pd

NAME = "summary.md"
AGAIN = "To measure the cases of a file again, delete the file and run the command again."

Key = TypeVar("Key")


def by_reason(noted: Mapping[Key, str]) -> dict[str, list[Key]]:
    """Return for each reason what it holds for."""
    reasons: dict[str, list[Key]] = {}
    for name, reason in noted.items():
        reasons.setdefault(reason, []).append(name)
    return reasons


def text(
    directory: Path,
    files: Sequence[Path],
    *,
    command: str,
    absent: Mapping[str, str],
    reasons: Mapping[str, Mapping[str, Mapping[str, str]]],
    warnings: Sequence[str],
    complaints: Sequence[str],
) -> str:
    """Return the summary.

    files     CSVs of one setup
    command   that measured them
    absent    trainers that cannot run on the machine, with the reasons
    reasons   stage -> "skipped", "failed" or "" -> case -> reason
    """
    tables = {file: records.read([file]) for file in files}
    first = next(iter(tables.values())).iloc[0]
    parts = [f"# {directory.name}", *_machine(first), _method(command, tables.values())]
    for rows in tables.values():
        parts += [table.markdown() for table in _tables(rows)]
    parts += ["## Files", *_files(directory, tables)]
    if lines := [*_left_out(absent, reasons)]:
        parts += ["## Left out", "\n".join(lines)]
    disturbed = [f"- `{file.name}`: {escaped(line)}" for file, rows in tables.items() for line in _disturbed(rows)]
    if lines := [*disturbed, *(f"- {escaped(_public(warning))}" for warning in warnings)]:
        parts += ["## Warnings", "\n".join(lines), *([AGAIN] if disturbed else [])]
    checked = [f"- {escaped(_public(complaint.removeprefix(str(directory)).lstrip('/')))}" for complaint in complaints]
    parts += ["## Checks", "\n".join(checked) or "`python -m bench check` finds the files whole, plausible and free of personal data."]
    return "\n\n".join(parts) + "\n"


def _machine(row: pd.Series[Any]) -> Iterator[str]:
    gpu = f"{row['gpu']} ({_number(row['gpu_memory_gib'])} GiB), driver {row['gpu_driver']}, CUDA {row['cuda']}" if row["gpu"] else "no GPU"
    code = f"commit `{row['commit']}`" if row["commit"] else "no commit"
    facts = {
        "machine": f"{row['cpu']}, {counted(row['cores'], 'core')}, {_number(row['memory_gib'])} GiB of memory; {gpu}; {row['os']}",
        "software": f"{row['python']}, NumPy {row['numpy']} on {row['blas']} with {row['blas_kernels'] or 'unknown'} kernels",
        "threads": str(row["threads"]),
    }
    yield "\n".join(
        [*(f"- {name}: {escaped(value)}" for name, value in facts.items()), f"- code: {code}{', changed since' if row['dirty'] else ''}"]
    )


def _method(command: str, tables: Any) -> str:
    runs = sorted({(started, run) for rows in tables for started, run in zip(rows["started_at"], rows["run_id"], strict=True)})
    first, last = (runs[at][0][:16].replace("T", " ") for at in (0, -1))
    when = f"at {first}" if first == last else f"from {first} to {last}"
    return (
        f"Measured {when} UTC in {counted(len(runs), 'run')} by\n\n    {command}\n\n"
        "An epoch is one pass over the training examples. The tables show medians with 95 % intervals. A speedup is a ratio of medians. "
        "A mark (!) stands beside a case that was disturbed while it was timed."
    )


def _tables(rows: pd.DataFrame) -> Iterator[Table]:
    timed, trained = (rows[rows["kind"] == kind] for kind in ("timing", "training"))
    grid: list[tuple[JobKey, pd.DataFrame]] = []
    for key, mine in timed.groupby(list(records.JOB), sort=False):
        job = JobKey(*tuple[Any, ...](key))
        if job.width is None:
            yield _timing(job, mine)
        else:
            grid.append((job, mine))
    if grid:
        yield _grid(sorted(grid, key=lambda cell: (cell[0].width or 0, cell[0].batch_size)))
    for key, mine in trained.groupby(list(records.JOB), sort=False):
        yield _training(JobKey(*tuple[Any, ...](key)), mine)


def _timing(job: JobKey, rows: pd.DataFrame) -> Table:
    times, marked, cells = _times(rows), _marked(rows), []
    for trainer, seconds in times.items():
        ratio = times_interval(intervals.ratio(times[BASELINE], seconds)) if BASELINE in times and trainer != BASELINE else "-"
        mine = rows[rows["trainer"] == trainer]
        share = f"{intervals.median(mine['fraction_of_limit']).value:.0%}" if mine["fraction_of_limit"].notna().all() else "-"
        name = trainer + (" (!)" if trainer in marked else "")
        cells.append(
            [
                name,
                duration_interval(intervals.median(seconds)),
                ratio,
                str(len(seconds)),
                share,
                f"{mine['library'].iloc[0]}, {mine['device'].iloc[0]}",
            ]
        )
    notes = (
        [] if len(set(rows["run_id"])) == 1 else ["The cases are from several runs, between which a machine may change its speed by 5 %."]
    )
    return Table(job.title, ["trainer", "epoch (95 %)", f"over {BASELINE} (95 %)", "rounds", "of limit", "library, device"], cells, notes)


def _grid(cells: Sequence[tuple[JobKey, pd.DataFrame]]) -> Table:
    trainers = ladder(trainer for _, rows in cells for trainer in rows["trainer"])
    shown = []
    for job, rows in cells:
        marked = _marked(rows)
        medians = {trainer: intervals.median(seconds) for trainer, seconds in _times(rows).items()}
        epochs = [duration_interval(medians[name]) + (" (!)" if name in marked else "") if name in medians else "-" for name in trainers]
        fastest = min(medians, key=lambda name: medians[name].value)
        shown.append([str(job.width), str(job.batch_size), f"{job.examples:,}", *epochs, fastest])
    title = f"Grid: 784-hidden-10, {cells[0][0].kind}, epochs with 95 % intervals"
    return Table(title, ["hidden", "batch size", "examples", *trainers, "fastest"], shown)


def _training(job: JobKey, rows: pd.DataFrame) -> Table:
    marked, cells = _marked(rows), []
    for trainer in ladder(rows["trainer"]):
        mine = rows[rows["trainer"] == trainer].sort_values("round")
        best = mine.iloc[int(mine["accuracy"].argmax())]
        spent = mine["seconds"].cumsum()
        reached = [duration(spent[mine["accuracy"] >= aim].iloc[0]) if (mine["accuracy"] >= aim).any() else "-" for aim in (0.90, 0.95)]
        name = trainer + (" (!)" if trainer in marked else "")
        cells.append([name, f"{best['accuracy']:.2%}", str(best["round"]), *reached, duration(mine["seconds"].sum())])
    title = f"Learning curve of {job.title}"
    return Table(title, ["trainer", "best test accuracy", "in epoch", "90 % after", "95 % after", "all epochs"], cells)


def _times(rows: pd.DataFrame) -> dict[str, Any]:
    return {name: rows.loc[rows["trainer"] == name, "seconds"].to_numpy() for name in ladder(rows["trainer"])}


def _marked(rows: pd.DataFrame) -> set[str]:
    return {one.trainer for one in noise.detect(rows)}


def _disturbed(rows: pd.DataFrame) -> list[str]:
    return noise.format_lines(noise.detect(rows), with_run=False)


def _files(directory: Path, tables: Mapping[Path, pd.DataFrame]) -> Iterator[str]:
    lines = []
    for file, rows in tables.items():
        cases = len(rows[["workload", "trainer"]].drop_duplicates())
        charts = sorted(chart.name for chart in directory.glob(f"{file.stem}-*.png"))
        drawn = f"; drawn in {', '.join(f'[{chart}]({chart})' for chart in charts)}" if charts else ""
        lines.append(f"- [{file.name}]({file.name}): {counted(cases, 'case')}, {counted(len(rows), 'row')}{drawn}")
    yield "\n".join(lines)


def _left_out(absent: Mapping[str, str], reasons: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[str]:
    for reason, trainers in by_reason(absent).items():
        yield f"- {escaped(', '.join(trainers))}: {escaped(_public(reason))}"
    for stage, kinds in reasons.items():
        for kind, noted in kinds.items():
            for reason, cases in by_reason(noted).items():
                named = ", ".join(cases) if len(cases) <= 6 else counted(len(cases), "case")
                yield f"- {': '.join(filter(None, (stage, escaped(named), kind, escaped(_public(reason)))))}"


def _public(reason: str) -> str:
    """Return a message without what could name a person or a place: a library's message may hold a path."""
    found = [what for what, pattern in PERSONAL.items() if pattern.search(reason)]
    return f"(the message holds {' and '.join(found)}, so only the terminal shows it)" if found else reason


def _number(value: float) -> str:
    return digits(value) if value == value else "?"
