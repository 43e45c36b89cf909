"""The data of the page: everything that its tables, charts and sentences show, ready for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bench import records
from bench.analysis import history, noise
from bench.analysis.compare import Comparison, comparison
from bench.analysis.energy_use import energy_use
from bench.analysis.headline import sentences
from bench.analysis.scaling import scalings
from bench.analysis.timings import BASELINE, Configuration, JobKey, Timings, ladder, timings
from bench.anatomy.breakdown import PARTS, breakdowns
from bench.machine.accelerators import SOFTWARE, accelerator_of
from bench.plot.palette import PART_COLOURS, colour, marker
from bench.plot.shapes import svg_path
from bench.report.jobs import described
from bench.report.machines import Machines
from bench.report.provenance import scope, source
from bench.stats.intervals import Interval

if TYPE_CHECKING:
    import pandas as pd


def figures(table: pd.DataFrame) -> dict[str, Any]:
    """Return the data of the page. Jobs and machines are indices into "jobs" and "machines".

    table  as `namesakes.read` returns it
    """
    times, trainers = timings(table), ladder(table["trainer"])
    training = table[table["kind"] == "training"]
    answer = comparison(times, baseline=None) if times.configurations else None
    trained = (JobKey(*key) for key in training[list(records.JOB)].drop_duplicates().itertuples(index=False, name=None))
    jobs = {job: position for position, job in enumerate(dict.fromkeys((*times.jobs, *trained)))}
    machines = Machines(table, times)
    return {
        "scope": scope(table),
        "source": source(table),
        "answers": _answers(answer, jobs, machines) if answer else {},
        "machines": machines.described(),
        "jobs": described(list(jobs)),
        "leads": _leads(answer, jobs, machines) if answer else {},
        "cells": list(_cells(answer, jobs, machines)) if answer else [],
        "scaling": list(_scaling(times, jobs, machines)),
        "anatomy": list(_anatomy(table, jobs, machines)),
        "history": list(_history(table, jobs, machines)),
        "curves": list(_curves(training, jobs, machines)),
        "notes": list(_in_software(times)),
        "noisy": noise.format_lines(noise.detect(table)),
        "differences": [f"{d.fact} differs: {d.therefore}" for d in answer.differences] if answer else [],
        "parts": PARTS,
        "part_colours": PART_COLOURS,
        "trainers": trainers,
        "colours": [colour(trainer) for trainer in trainers],
        "shapes": [svg_path(marker(trainer)) for trainer in trainers],
    }


def _answers(answer: Comparison, jobs: Mapping[JobKey, int], machines: Machines) -> dict[str, list[str]]:
    """Return the sentences for each choice of a job and a machine: "JOB/MACHINE". An empty one stands for all."""
    choices: dict[str, tuple[Comparison, str | None]] = {"": (answer, None)}
    choices |= {str(machines.of(one)): (_only(answer, one), one.machine) for one in answer.timings.configurations}
    return {
        f"{'' if job is None else jobs[job]}/{index}": sentences(of, job=job, machine=machine)
        for index, (of, machine) in choices.items()
        for job in (None, *of.timings.jobs)
    }


def _leads(answer: Comparison, jobs: Mapping[JobKey, int], machines: Machines) -> dict[str, str]:
    """Return by how much the fastest trainer of each job and configuration is ahead of the next: "1.42x", or "tied"."""
    return {
        f"{jobs[job]}/{machines.of(configuration)}": "next: disturbed" if won.uncertain else won.lead
        for (job, configuration), won in answer.winners.items()
    }


def _only(answer: Comparison, configuration: Configuration) -> Comparison:
    """Return the part of the comparison that is about one configuration."""
    epochs = {key: sample for key, sample in answer.timings.epochs.items() if key[0] is configuration}
    times = replace(answer.timings, configurations=(configuration,), epochs=epochs)
    return replace(answer, timings=times, crossings=[one for one in answer.crossings if one.configuration is configuration])


def _in_software(times: Timings) -> Iterator[str]:
    """Yield a note for each trainer that ran on a software adapter."""
    for (configuration, fact), values in times.facts.items():
        for value in values:
            if fact.startswith("device of ") and f", {SOFTWARE}" in value:
                yield f"{configuration.label}: {fact.removeprefix('device of ')} ran on {value}; software is not a GPU"


def _cells(answer: Comparison, jobs: Mapping[JobKey, int], machines: Machines) -> Iterator[dict[str, Any]]:
    """Yield the results of each trainer on each job and configuration."""
    for (job, trainer, configuration), cell in answer.cells.items():
        row = answer.timings.rows[configuration, job, trainer]
        rate = row["flops"] / cell.epoch.value / 1e9
        used = energy_use(row)
        limit = row["fraction_of_limit"] * row["seconds"] / cell.epoch.value
        yield {
            "job": jobs[job],
            "machine": machines.of(configuration),
            "trainer": trainer,
            "disturbed": (configuration, job, trainer) in answer.timings.noisy,
            "seconds": _short(cell.epoch),
            "speedup": _short(_speedup(answer.timings, job, trainer, configuration)),
            "loop_disturbed": (configuration, job, BASELINE) in answer.timings.noisy,
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


def _speedup(times: Timings, job: JobKey, trainer: str, configuration: Configuration) -> Interval | None:
    """Return the speedup over the baseline on the same configuration."""
    base = times.epochs.get((configuration, job, BASELINE))
    return base.over(times.epochs[configuration, job, trainer]) if base and trainer != BASELINE else None


def _scaling(times: Timings, jobs: Mapping[JobKey, int], machines: Machines) -> Iterator[dict[str, Any]]:
    """Yield the speedup over one rank of each job and trainer, for strong and weak scaling."""
    for line in scalings(times):
        configurations = [point.configuration for point in line.points]
        yield {
            "job": jobs[line.job],
            "machines": [machines.of(configuration) for configuration in configurations],
            "name": configurations[0].machine,
            "threads": int(configurations[0].threads),
            "trainer": line.trainer,
            "kind": line.kind,
            "points": [
                {"ranks": int(point.configuration.ranks), "speedup": _short(point.speedup), "disturbed": point.disturbed}
                for point in line.points
            ],
        }


def _anatomy(table: pd.DataFrame, jobs: Mapping[JobKey, int], machines: Machines) -> Iterator[dict[str, Any]]:
    """Yield the breakdown of each case whose calls were measured; `drawn` are the lengths of PARTS."""
    times, found = breakdowns(table)
    for (configuration, job), trainers in found.items():
        for trainer, one in trainers.items():
            yield {
                "job": jobs[job],
                "machines": machines.like(configuration),
                "name": configuration.label,
                "trainer": trainer,
                "disturbed": (configuration, job, trainer) in times.noisy,
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


def _history(table: pd.DataFrame, jobs: Mapping[JobKey, int], machines: Machines) -> Iterator[dict[str, Any]]:
    """Yield the speedup of each trainer over the first commit, for the machines that were measured at several commits."""
    if "given_name" not in table:
        table = table.assign(given_name=table["machine"])
    for course in history.of_table(table).courses:
        yield {
            "job": jobs[course.job],
            "machines": machines.given(course.machine, course.threads, course.ranks),
            "name": course.machine,
            "threads": course.threads,
            "ranks_of_machine": course.ranks,
            "trainer": course.trainer,
            "points": [
                {
                    "commit": point.commit,
                    "started_at": point.started_at,
                    "epoch": _short(point.epoch),
                    "over_first": _short(point.over_first),
                    "environment": point.environment,
                    "marks": [str(mark) for mark in point.marks],
                    "change": _short(point.change),
                    "disturbed": point.disturbed,
                }
                for point in course.points
            ],
        }


def _curves(training: pd.DataFrame, jobs: Mapping[JobKey, int], machines: Machines) -> Iterator[dict[str, Any]]:
    """Yield the accuracy after each epoch of each training run, and the training time until then."""
    disturbed = {(one.run_id, one.workload, one.trainer) for one in noise.detect(training)}
    for key, rows in training.groupby(["machine", "run_id", *records.JOB, "trainer"], sort=False):
        machine, run, *names, trainer = tuple[Any, ...](key)
        job = JobKey(*names)
        rows = rows.sort_values("round")
        yield {
            "job": jobs[job],
            "machines": machines.named(machine),
            "name": machine,
            "run": run,
            "trainer": trainer,
            "disturbed": (run, job.workload, trainer) in disturbed,
            "epochs": rows["round"].tolist(),
            "seconds": [_number(second) for second in rows["seconds"].cumsum()],
            "accuracy": [_number(accuracy) for accuracy in rows["accuracy"]],
        }


def _short(interval: Interval | None) -> Sequence[float | None] | None:
    return [_number(end) for end in interval] if interval else None


def _number(value: float) -> float | None:
    """Return a number with five significant digits, or None if it is not finite."""
    return float(f"{value:.5g}") if math.isfinite(value) else None
