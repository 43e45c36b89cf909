"""The machines of the page: an entry for each configuration, and for each machine that has training rows only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench import records
from bench.analysis.timings import Configuration, Timings

if TYPE_CHECKING:
    import pandas as pd


class Machines:
    """The entries in their order on the page, and the index of each."""

    def __init__(self, table: pd.DataFrame, times: Timings) -> None:
        self._index = {configuration: index for index, configuration in enumerate(times.configurations)}
        self._entries = [*_timed(times), *_trained(table, times)]

    def of(self, configuration: Configuration) -> int:
        """Return the index of a configuration of the timings."""
        return self._index[configuration]

    def like(self, configuration: Configuration) -> list[int]:
        """Return the indices of the configurations with the same machine, threads and ranks. Their runs may be others."""
        same = configuration.machine, configuration.threads, configuration.ranks
        return [index for one, index in self._index.items() if (one.machine, one.threads, one.ranks) == same]

    def named(self, machine: str) -> list[int]:
        """Return the indices of all entries of a machine."""
        return [index for index, entry in enumerate(self._entries) if entry["machine"] == machine]

    def given(self, name: str, threads: int, ranks: int) -> list[int]:
        """Return the indices of the configurations whose rows have this name, which several machines may share."""
        return [
            index for one, index in self._index.items() if (self._entries[index]["given"], one.threads, one.ranks) == (name, threads, ranks)
        ]

    def described(self) -> list[dict[str, Any]]:
        """Return the hardware and software of each entry."""
        return self._entries


def _timed(times: Timings) -> Iterator[dict[str, Any]]:
    last = {configuration: row for (configuration, _, _), row in times.rows.items()}
    for configuration in times.configurations:
        facts = {fact: ", ".join(filter(None, times.facts.get((configuration, fact), ()))) for fact in records.FACTS}
        whose = {"label": configuration.label, "machine": configuration.machine, "runs": len(configuration.runs)}
        yield whose | {"threads": int(configuration.threads)} | _hardware(last[configuration]) | facts


def _trained(table: pd.DataFrame, times: Timings) -> Iterator[dict[str, Any]]:
    rows = table[~table["machine"].isin([configuration.machine for configuration in times.configurations])]
    for machine, row in rows.drop_duplicates("machine", keep="last").set_index("machine").to_dict("index").items():
        facts = {fact: ("yes" if row[fact] else "no") if fact == "dirty" else row[fact] for fact in records.FACTS}
        row = {**row, "machine": machine}
        yield {"label": machine, "machine": machine, "runs": 1, "threads": int(row["threads"])} | _hardware(row) | facts


def _hardware(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "given": row.get("given_name", row["machine"]),
        "cpu": row["cpu"],
        "microarchitecture": row["microarchitecture"],
        "cores": int(row["cores"]),
        "memory_gib": float(row["memory_gib"]),
        "gpu": row["gpu"],
    }
