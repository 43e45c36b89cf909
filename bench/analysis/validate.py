"""Validation of a contributed CSV: completeness, plausibility, personal data (`python -m bench check`)."""

from __future__ import annotations

import getpass
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench import records
from bench.analysis.copies import Case, cases, copies
from bench.machine.identity import slug
from bench.machine.roofline import Peaks, Work, epoch_work
from bench.records.schema import FIELDS
from bench.text.numbers import counted
from bench.verify.rounding import TOLERANCE
from impls import InputError

if TYPE_CHECKING:
    import pandas as pd

# A peak is the best of a few rounds and may be below the true maximum, so an epoch may take less than its floor.
_TOO_FAST = 1.1

# float64 operations per second of a core, more than any has: two multiply-adds of 512-bit vectors per cycle, at 6.5 GHz. A processor of
# Apple also has coprocessors for matrices. With several ranks, `cores` is that of one host.
_MOST_FLOPS = 32 * 6.5e9

PERSONAL = {
    "a path": re.compile(r"(^|\s)(~|[A-Za-z]:)?[/\\]\w|[/\\](home|Users)[/\\]"),
    "an email address": re.compile(r"\w@\w+\.\w"),
    "a network address": re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b|\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.IGNORECASE),
    "a host name": re.compile(r"\.(local|lan|internal|home|corp)\b", re.IGNORECASE),
}


# The place in the file, what is wrong there, and perhaps what to do: the fields of an InputError about it.
Problem = tuple[str, str] | tuple[str, str, str]


def check(path: Path, known: Mapping[Path, Sequence[Case]] | None = None) -> list[InputError]:
    """Return the problems of a file; empty if it is valid. Raises InputError if it cannot be read.

    known  the cases of other files, which this one must not have copied
    """
    table = records.read([path])
    problems = [
        *_unfinished(path, table),
        *_implausible(table),
        *_copied(path, table, known or {}),
        *_unknown_code(table),
        *_personal(table),
    ]
    return [InputError(f"{path}, {place}" if place else path, *problem) for place, *problem in problems]


def _unfinished(path: Path, table: pd.DataFrame) -> Iterator[Problem]:
    if path.name.endswith(".partial.csv"):
        yield "", "partial file: the run stopped before its end", "send the CSV of a finished run"
    for key, rounds in table.groupby(["run_id", "kind", *records.JOB, "ranks", "trainer"], sort=False)["round"]:
        if sorted(rounds) != list(range(1, len(rounds) + 1)):
            run, _, workload, *_, trainer = tuple[Any, ...](key)
            place = f"run {run}, {workload} {trainer}, column round"
            yield place, f"not numbered 1 to {len(rounds)}", "rows are missing or duplicated"


def _implausible(table: pd.DataFrame) -> Iterator[Problem]:
    for case, rows in table.groupby(["run_id", "ranks", "workload", "trainer"], sort=False):
        name = " ".join(tuple[Any, ...](case)[2:])
        one = rows.sort_values("seconds").iloc[0]
        worst = rows["max_error"].max()
        if worst > TOLERANCE.get(one["dtype"], 0.0):
            yield f"{name}, column max_error", f"{worst:.1e} exceeds the tolerance", "the weights differ from the oracle"
        if not rows["accuracy"].between(0, 1).all():
            yield f"{name}, column accuracy", "not between 0 and 1"
        most = one["cores"] * one["ranks"] * _MOST_FLOPS * (1 if one["dtype"] == "float64" else 2)
        if one["device"] == "cpu" and "Apple" not in one["cpu"] and rows["peak_flops"].max() > most:
            cores = counted(one["cores"], "core")
            yield f"{name}, column peak_flops", f"{rows['peak_flops'].max():.1e} operations per second are more than {cores} can do"
        work = _work(one)
        if work is None:
            yield f"{name}, column layers", f"{one['layers']!r} are not widths joined by hyphens"
        elif one["flops"] > work.flops:
            yield f"{name}, column flops", f"{one['flops']:,} exceeds the {work.flops:,} that its layers and examples need"
        elif np.isfinite([one["peak_flops"], one["peak_bytes"], one["bytes"]]).all() and one["peak_flops"] and one["peak_bytes"]:
            floor = Peaks(one["peak_flops"], one["peak_bytes"]).floor(Work(one["flops"], one["bytes"]))
            if floor > _TOO_FAST * one["seconds"]:
                yield f"{name}, column seconds", f"round {one['round']} took {one['seconds']:.3g} s, less than the floor of {floor:.3g} s"


def _copied(path: Path, table: pd.DataFrame, known: Mapping[Path, Sequence[Case]]) -> Iterator[Problem]:
    for copy in copies(cases(table), ((other, theirs) for other, theirs in known.items() if not other.samefile(path))):
        problem = f"the rounds of {counted(copy.cases, 'case')} are those of {copy.path} times {copy.factor:.3g}"
        yield "column seconds", problem, "two runs differ in every round, so send a run that was measured"


def _work(row: pd.Series[Any]) -> Work | None:
    if not re.fullmatch(r"[0-9]{1,9}(-[0-9]{1,9})+", row["layers"]):
        return None
    return epoch_work([int(width) for width in row["layers"].split("-")], row["examples"], 8)


def _unknown_code(table: pd.DataFrame) -> Iterator[Problem]:
    if table["dirty"].any():
        yield "column dirty", "the code was changed since its commit or is in no commit, so it is not reproducible", "use a clean commit"
    if (table["commit"] == "").any():
        yield "column commit", "empty, so the measured code is unknown", "benchmark in a git clone in which `git status` works"


def _personal(table: pd.DataFrame) -> Iterator[Problem]:
    texts = [field for field in FIELDS if field.type is str]
    for field in texts:
        for value in table[field.name].unique():
            for what, pattern in PERSONAL.items():
                if pattern.search(value) and not (what == "a network address" and field.column.version):  # a version may have four numbers
                    yield f"column {field.name}", f"{value!r} looks like {what}"
    here = {"this machine's host name": platform.node(), "your user name": _user()}
    for field in texts:
        for value in table[field.name].unique() if field.column.named else ():
            for what, name in here.items():
                if len(name) > 2 and name != "root" and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", value, re.IGNORECASE):
                    yield f"column {field.name}", f"{value!r} contains {what}"
    for machine in table["machine"].unique():
        if machine != slug(machine):
            yield "column machine", f"{machine!r} is not a short name of lower-case letters, digits and hyphens", f"use {slug(machine)}"


def _user() -> str:
    """Return the user's name; empty if the user id has no name, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
