"""Detection of copied measurements: cases whose rounds are those of another run, multiplied by one number.

Two measurements differ in every round. So if the logarithms of the rounds differ by one constant, one of the runs was not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench import records
from bench.system import own_code

if TYPE_CHECKING:
    import pandas as pd

_SAME = 5e-4  # largest difference of two logarithms that are equal except for the digits written
_VARIED = 5e-3  # least standard deviation of the logarithms; a coarse clock can give two runs the same rounds
_ROUNDS = 15  # least number of rounds in all copied cases together; fewer may agree by chance


class Case(NamedTuple):
    """The rounds of a case, as logarithms of seconds less their mean, and that mean."""

    run_id: str
    rounds: npt.NDArray[np.float64]
    mean: float


@dataclass(frozen=True)
class Copy:
    """Cases of a run that another file has, too. factor: the median ratio of the seconds here to those there"""

    path: Path
    cases: int
    factor: float


def cases(table: pd.DataFrame) -> list[Case]:
    """Return the cases of a table whose rounds vary enough to recognise them."""
    found = []
    for key, rows in table.groupby(["run_id", "kind", *records.JOB, "ranks", "trainer"], sort=False):
        logs = np.log(rows.sort_values("round")["seconds"].to_numpy())
        if len(logs) > 2 and np.std(logs) > _VARIED:
            found.append(Case(tuple[Any, ...](key)[0], logs - logs.mean(), float(logs.mean())))
    return found


def published() -> dict[Path, list[Case]]:
    """Return the cases of the files that this checkout publishes; none outside a checkout."""
    results = own_code.ROOT / "results"
    if not (own_code.IN_CHECKOUT and results.is_dir()):
        return {}
    files = [path for path in records.files([results]) if path.relative_to(results).parts[0] != "local"]
    return {path: cases(records.read([path])) for path in files}


def copies(mine: Sequence[Case], known: Iterable[tuple[Path, Sequence[Case]]]) -> list[Copy]:
    """Return the files whose cases are among mine, under another run_id. known: the cases of each file"""
    found = []
    for path, others in known:
        pairs = [(case, next((other for other in others if _is_copy(case, other)), None)) for case in mine]
        copied = [(case, other) for case, other in pairs if other is not None]
        if sum(len(case.rounds) for case, _ in copied) >= _ROUNDS:
            found.append(Copy(path, len(copied), float(np.exp(np.median([case.mean - other.mean for case, other in copied])))))
    return found


def _is_copy(case: Case, other: Case) -> bool:
    same_length = case.run_id != other.run_id and len(case.rounds) == len(other.rounds)
    return same_length and float(np.max(np.abs(case.rounds - other.rounds))) < _SAME
