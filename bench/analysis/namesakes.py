"""Machines with one name, distinguished by their hardware, so that a difference between two machines is not taken for one of the code.

A user may choose the name, or it comes from the processor's name, which several generations can share. Older files lack the processor's
identifier. Two of their runs are from two machines if the measured peaks differ by more than those of one machine do.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import records
from bench.text.numbers import counted, digits
from impls import InputError

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger(__name__)

_PEAK = 1.5  # largest ratio on one machine; in results/ the peaks of one machine differ by up to 1.28, a Zen 4 and a Zen 5 by 2.3
_MEMORY = 1.1  # the system's own share changes from one kernel to the next
_PEAK_OF = ["dtype", "threads", "ranks", "blas", "blas_kernels"]  # peaks are compared if these are the same
_SHOWN = ("cpu", "microarchitecture", "cpu_id", "gpu", "cores", "memory_gib", "caches")


@dataclass
class _Hardware:
    """What is known of one machine: columns of its rows that are not empty, its peaks by the values of _PEAK_OF, and its runs."""

    known: dict[str, Any]
    peaks: dict[Any, float]
    runs: list[str]

    def may_be(self, other: _Hardware) -> bool:
        """Return whether the rows of both may come from one machine. A value that one of them lacks is ignored."""
        shared = [name for name in records.HARDWARE if name in self.known and name in other.known]
        if any(not _same(name, self.known[name], other.known[name]) for name in shared):
            return False
        return "cpu_id" in shared or all(
            max(self.peaks[key], other.peaks[key]) <= _PEAK * min(self.peaks[key], other.peaks[key])
            for key in self.peaks.keys() & other.peaks.keys()
        )

    def add(self, other: _Hardware) -> None:
        """Add what is known from another run of the same machine."""
        self.known = other.known | self.known
        self.peaks = other.peaks | self.peaks
        self.runs += other.runs


def read(paths: Sequence[Path], *, broken: Callable[[Path, InputError], None] | None = None) -> pd.DataFrame:
    """Return the table of `records.read`, in which machines with one name have new names. Logs a warning with these."""
    return distinguished(records.read(paths, broken=broken))


def distinguished(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a new name in `machine` where one name stands for several machines: "ci (zen4)" and "ci (zen5)".

    A column `given_name` has the names as they were.
    """
    names = table["machine"].to_numpy(copy=True)
    for name, rows in table.groupby("machine", sort=False):
        found = _machines(rows)
        if len(found) > 1:
            labels = [f"{name} ({label})" if label else str(name) for label in _labels(found)]
            LOG.warning(
                f"machine {name}: the rows are from {counted(len(found), 'machine')}, shown as {', '.join(labels)}; "
                "give each its own name with --machine"
            )
            of = {run: label for label, machine in zip(labels, found, strict=True) for run in machine.runs}
            mine = (table["machine"] == name).to_numpy()
            names[mine] = rows["run_id"].map(of)
    return table.assign(machine=names, given_name=table["machine"])


def _machines(rows: pd.DataFrame) -> list[_Hardware]:
    """Return the machines behind rows with one name. A run without `cpu_id` that fits several is grouped with other such runs."""
    found: list[_Hardware] = []
    for run in sorted(_runs(rows), key=lambda run: "cpu_id" not in run.known):
        fitting = [machine for machine in found if machine.may_be(run)]
        if len(fitting) > 1:
            fitting = [machine for machine in fitting if "cpu_id" not in machine.known]
        if fitting:
            fitting[0].add(run)
        else:
            found.append(run)
    return found


def _runs(rows: pd.DataFrame) -> Iterator[_Hardware]:
    columns = list(dict.fromkeys((*records.HARDWARE, *_SHOWN)))
    on_cpu = rows[(rows["device"] == "cpu") & rows["peak_flops"].notna()]
    peaks: dict[str, dict[Any, float]] = {}
    for case, measured in on_cpu.groupby(["run_id", *_PEAK_OF], sort=False)["peak_flops"]:
        run, *key = tuple[Any, ...](case)
        peaks.setdefault(run, {})[tuple(key)] = measured.max()
    for run, *values in rows.drop_duplicates("run_id")[["run_id", *columns]].itertuples(index=False, name=None):
        known = {name: value for name, value in zip(columns, values, strict=True) if value not in ("", 0)}
        if known.get("cpu", "").isdecimal():  # the number of a processor, on ARM before schema 5
            del known["cpu"]
        yield _Hardware(known, peaks.get(run, {}), [run])


def _same(name: str, one: Any, other: Any) -> bool:
    return max(one, other) <= _MEMORY * min(one, other) if name == "memory_gib" else bool(one == other)


def _labels(found: Sequence[_Hardware]) -> list[str]:
    """Return a short text for each machine: the first column that differs for all, or all columns that differ, or the peak."""
    for name in _SHOWN:
        texts = [_shown(name, machine.known) for machine in found]
        if len(set(texts)) == len(texts):
            return texts
    differing = [name for name in _SHOWN if len({_shown(name, machine.known) for machine in found}) > 1]
    texts = [", ".join(filter(None, (_shown(name, machine.known) for name in differing))) for machine in found]
    if len(set(texts)) == len(texts):
        return texts
    peaks = [f"{digits(max(machine.peaks.values(), default=0.0) / 1e9)} GFLOP/s" for machine in found]
    texts = [", ".join(filter(None, pair)) for pair in zip(texts, peaks, strict=True)]
    return texts if len(set(texts)) == len(texts) else [f"{text}, number {number}" for number, text in enumerate(texts, start=1)]


def _shown(name: str, known: Mapping[str, Any]) -> str:
    value = known.get(name, "")
    if name == "cores" and value:
        return counted(value, "core")
    return f"{value:g} GiB" if name == "memory_gib" and value else str(value)
