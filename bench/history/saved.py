"""Pairs that earlier calls of `history` have measured, from their CSVs. An interrupted call leaves a partial file, which counts as well."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from bench.paired.pair import Pair
from bench.paired.revisions import Commit

_EXAMPLES = re.compile(r"([\d,]+) examples")


class Saved(NamedTuple):
    """log_ratios: of each commit, by the first digits of its hash; examples: of the job; None without a pair"""

    log_ratios: dict[str, list[float]]
    examples: int | None


def saved(directory: Path, trainer: str, base: Commit, title: str, *, machine: str, threads: int) -> Saved:
    """Return the pairs of a trainer's commits with the base that were measured on this machine and job.

    title  of the job, with any number of examples; the number of the newest pairs is chosen
    """
    mine = [
        row
        for file in sorted(directory.glob("*-history-*.csv"))
        for row in _rows(file)
        if row["machine"] == machine
        and row["threads"] == str(threads)
        and row["b"].startswith(f"{trainer}@{base.short} ")
        and without_examples(row["job"]) == without_examples(title)
    ]
    if not mine:
        return Saved({}, None)
    newest = mine[-1]["job"]
    found: dict[str, list[float]] = {}
    for (_, a, _), rows in groupby((row for row in mine if row["job"] == newest), lambda row: (row["run_id"], row["a"], row["pair"])):
        rounds = list(rows)
        pair = Pair(
            tuple(float(one["a_seconds"]) for one in rounds),
            tuple(float(one["b_seconds"]) for one in rounds),
            "",
            float(rounds[0]["pair_seconds"]),
        )
        found.setdefault(a.partition("@")[2].partition(" ")[0], []).append(pair.log_ratio)
    examples = _EXAMPLES.search(newest)
    return Saved(found, int(examples[1].replace(",", "")) if examples else None)


def without_examples(title: str) -> str:
    """Return the title of a job without its number of examples."""
    return _EXAMPLES.sub("", title)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete rows of a file."""
    with file.open(newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            if row.get("pair_seconds"):  # the last one of a run that died may be incomplete
                yield row
