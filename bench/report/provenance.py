"""Sentences about the rows of the page: how many trainers and machines, and when, at which commits and with which libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.text.lists import listed
from bench.text.numbers import counted

if TYPE_CHECKING:
    import pandas as pd

_NAMES = {
    "numpy": "NumPy",
    "cupy": "CuPy",
    "jax": "JAX",
    "torch": "PyTorch",
    "numba": "Numba",
    "mlx.core": "MLX",
    "wgpu": "wgpu",
}  # by the name in the column `library`
_MOST = 2  # commits that are listed by name


def scope(table: pd.DataFrame) -> str:
    """Return the numbers of trainers and machines: "19 trainers on 5 machines"."""
    return f"{counted(table['trainer'].nunique(), 'trainer')} on {counted(table['machine'].nunique(), 'machine')}"


def source(table: pd.DataFrame) -> str:
    """Return a sentence about when, at which commits and with which libraries the rows were measured."""
    days = sorted(started_at[:10] for started_at in {table["started_at"].min(), table["started_at"].max()})
    when = f"on {days[0]}" if days[0] == days[-1] else f"from {days[0]} to {days[-1]}"
    commits = [commit for commit in table.sort_values("started_at", kind="stable")["commit"].unique() if commit]
    named = listed(commits) if len(commits) <= _MOST else f"{commits[0]} to {commits[-1]}, {len(commits)} in all"
    where = f" at commit {named}" if len(commits) == 1 else f" at commits {named}" if commits else ""
    return f"epochbench measured them {when}{where}, with {listed(_libraries(table))}."


def _libraries(table: pd.DataFrame) -> list[str]:
    """Return the libraries with their versions: "NumPy 2.4.6 and 2.5.2"."""
    versions: dict[str, set[str]] = {"numpy": set(table["numpy"])}
    for text in table["library"].unique():
        name, _, version = text.partition(" ")
        versions.setdefault(name, set()).add(version)
    known = [name for name in (*_NAMES, *sorted(versions.keys() - _NAMES.keys())) if name in versions]
    return [f"{_NAMES.get(name, name)} {listed(sorted(filter(None, versions[name])))}".strip() for name in known]
