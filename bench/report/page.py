"""`python -m bench report`: one HTML page with all results, which opens offline and prints well.

page.html has the text and page.js the drawing code; this module inserts that and the data. Vega-Lite draws the charts. The package
vl-convert-python contains it as one script.
"""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import records
from bench.analysis import namesakes, noise
from bench.analysis.compare import Comparison, comparison
from bench.analysis.energy_use import energy_use
from bench.analysis.timings import BASELINE, Configuration, JobKey, Timings, ladder, timings
from bench.anatomy.breakdown import PARTS, breakdowns
from bench.machine.accelerators import SOFTWARE, accelerator_of
from bench.plot.palette import PART_COLOURS, colour
from bench.stats.intervals import Interval
from bench.system import files
from impls import InputError
from impls.extras import install
from impls.programs import pip

if TYPE_CHECKING:
    import pandas as pd


def report(paths: Sequence[Path], file: Path, *, broken: Callable[[Path, InputError], None] | None = None) -> None:
    """Write the page of these CSVs, or of directories of CSVs.

    broken: called with each file that cannot be read, instead of raising; the page then skips the file
    Raises InputError if a file cannot be read, or if the page cannot be written.
    """
    sources = records.files(paths)
    left_out = set()

    def leave_out(path: Path, error: InputError) -> None:
        left_out.add(path)
        if broken:
            broken(path, error)

    table = namesakes.read(sources, broken=leave_out if broken else None)
    records.check_writable(file.parent, option="-o")
    page = _page(_figures(table), _raw([source for source in sources if source not in left_out]))
    try:
        files.atomic_write(file, page)
    except OSError as error:
        raise InputError(f"-o {file}", f"cannot write it ({error.strerror})", "name another file") from error


def _page(figures: dict[str, Any], raw: str) -> str:
    try:
        import vl_convert
    except ImportError as error:
        raise InputError(
            "report", "the charting library is not installed", f"{install('report')}, or {pip()} install vl-convert-python"
        ) from error
    page, drawing = (Path(__file__).with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".html", ".js"))
    # Only "</script" and "<!--" can end the text of a script element early, so the JSON contains no "<".
    parts = {
        "figures": json.dumps(figures, allow_nan=False).replace("<", "\\u003c"),
        "raw": raw,
        "drawing": drawing,
        "library": vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"),
    }
    # In one pass, because a text of a CSV may look like a placeholder.
    return re.sub(r"/\*(figures|raw|drawing|library)\*/", lambda found: parts[found[1]].replace("</script", "<\\/script"), page)


def _raw(sources: Sequence[Path]) -> str:
    """Return the files, concatenated to one CSV, compressed by gzip, in base64."""
    whole = "".join(records.neutral(source) for source in sources)
    return base64.b64encode(gzip.compress(whole.encode("utf-8"), 6, mtime=0)).decode("ascii")


def _figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return the data of the page, ready for JSON."""
    times, trainers = timings(table), ladder(table["trainer"])
    training = table[table["kind"] == "training"]
    answer = comparison(times, baseline=None) if times.configurations else None
    return {
        "machines": list(_machines(table, times)),
        "jobs": [
            {"title": job.title, "kind": job.kind, "width": job.width, "batch": int(job.batch_size), "examples": int(job.examples)}
            for job in times.jobs
        ],
        "cells": list(_cells(answer)) if answer else [],
        "anatomy": list(_anatomy(table, times.jobs)),
        "parts": PARTS,
        "part_colours": PART_COLOURS,
        "curves": list(_curves(training)),
        "notes": [
            *(f"{d.fact} differs: {d.therefore}" for d in (answer.differences if answer else ())),
            *(_in_software(answer.timings) if answer else ()),
            *noise.format_lines(noise.detect(table)),
        ],
        "trainers": trainers,
        "colours": [colour(trainer) for trainer in trainers],
    }


def _in_software(times: Timings) -> Iterator[str]:
    """Yield a note for each trainer that ran on a software adapter."""
    for (configuration, fact), values in times.facts.items():
        for value in values:
            if fact.startswith("device of ") and f", {SOFTWARE}" in value:
                yield f"{configuration.label}: {fact.removeprefix('device of ')} ran on {value}; software is not a GPU"


def _machines(table: pd.DataFrame, times: Timings) -> Iterator[dict[str, Any]]:
    """Yield the hardware and software of each configuration, and of each machine that has training rows only."""
    hardware = {configuration: row for (configuration, _, _), row in times.rows.items()}
    for configuration in times.configurations:
        facts = {fact: ", ".join(filter(None, times.facts.get((configuration, fact), ()))) for fact in records.FACTS}
        yield (
            {
                "label": configuration.label,
                "machine": configuration.machine,
                "runs": len(configuration.runs),
                "threads": int(configuration.threads),
            }
            | _hardware(hardware[configuration])
            | facts
        )
    trained = table[~table["machine"].isin([configuration.machine for configuration in times.configurations])]
    for machine, row in trained.drop_duplicates("machine", keep="last").set_index("machine").to_dict("index").items():
        facts = {fact: ("yes" if row[fact] else "no") if fact == "dirty" else row[fact] for fact in records.FACTS}
        yield {"label": machine, "machine": machine, "runs": 1, "threads": int(row["threads"])} | _hardware(row) | facts


def _hardware(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "cpu": row["cpu"],
        "microarchitecture": row["microarchitecture"],
        "cores": int(row["cores"]),
        "memory_gib": float(row["memory_gib"]),
        "gpu": row["gpu"],
    }


def _cells(answer: Comparison) -> Iterator[dict[str, Any]]:
    """Yield the results of each trainer on each job and configuration. `job` and `machine` are indices into "jobs" and "machines"."""
    jobs = {job: position for position, job in enumerate(answer.timings.jobs)}
    configurations = {configuration: position for position, configuration in enumerate(answer.timings.configurations)}
    for (job, trainer, configuration), cell in answer.cells.items():
        row = answer.timings.rows[configuration, job, trainer]
        rate = row["flops"] / cell.epoch.value / 1e9
        used = energy_use(row)
        limit = row["fraction_of_limit"] * row["seconds"] / cell.epoch.value
        yield {
            "job": jobs[job],
            "machine": configurations[configuration],
            "trainer": trainer,
            "seconds": _short(cell.epoch),
            "speedup": _short(_speedup(answer.timings, job, trainer, configuration)),
            "rate": _number(job.examples / cell.epoch.value),
            "limit": _number(limit),
            "accuracy": _number(row["accuracy"]),
            "rounds": cell.rounds,
            "library": row["library"],
            "device": str(accelerator_of(row) or "gpu") if row["device"] == "gpu" else row["device"],
            "gflops": _number(rate),
            "intensity": _number(row["flops"] / row["bytes"]) if row["bytes"] else None,
            "memory": _number(row["memory_bytes"]),
            "gpu_memory": _number(row["gpu_memory_bytes"]),
            "energy": [_short(used.per_joule), _number(used.watts), _number(used.idle_watts)] if used else None,
            "peak": [_number(row["peak_flops"] / 1e9), _number(row["peak_bytes"] / 1e9)],
        }


def _anatomy(table: pd.DataFrame, jobs: Sequence[JobKey]) -> Iterator[dict[str, Any]]:
    """Yield the breakdown of each case whose calls were measured. `job` is an index into "jobs"; `drawn` are the lengths of PARTS."""
    _, found = breakdowns(table)
    for (configuration, job), trainers in found.items():
        for trainer, one in trainers.items():
            yield {
                "job": jobs.index(job),
                "machine": configuration.machine,
                "name": configuration.label,
                "trainer": trainer,
                "epoch": _number(one.epoch.value),
                "parts": [_number(part) for part in one.seconds],
                "drawn": [_number(part) for part in one.drawn],
                "calls": _short(one.calls),
                "step": _short(one.step),
                "example": _short(one.example),
                "error": _number(one.error),
                "holds": one.holds,
                "overlaps": one.overlaps,
                "allocations": _number(one.allocations),
            }


def _speedup(times: Timings, job: JobKey, trainer: str, configuration: Configuration) -> Interval | None:
    base = times.epochs.get((configuration, job, BASELINE))
    return base.over(times.epochs[configuration, job, trainer]) if base and trainer != BASELINE else None


def _curves(training: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the accuracy after each epoch of each training run, and the training time until then."""
    for key, rows in training.groupby(["machine", "run_id", *records.JOB, "trainer"], sort=False):
        machine, run, *job, trainer = tuple[Any, ...](key)
        rows = rows.sort_values("round")
        yield {
            "machine": machine,
            "run": run,
            "title": JobKey(*job).title,
            "trainer": trainer,
            "epochs": rows["round"].tolist(),
            "seconds": [_number(second) for second in rows["seconds"].cumsum()],
            "accuracy": [_number(accuracy) for accuracy in rows["accuracy"]],
        }


def _short(interval: Interval | None) -> list[float | None] | None:
    return [_number(end) for end in interval] if interval else None


def _number(value: float) -> float | None:
    """Return a number with five significant digits, or None if it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
