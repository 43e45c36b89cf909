"""Energy of a case for tables: epochs per joule, and watts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from bench.stats.intervals import Interval
from bench.text.numbers import digits

HEADINGS = ("epochs/J (95 %)", "W (idle)")


class EnergyUse(NamedTuple):
    """Epochs per joule; the power in the rounds and at idle, in watts. NaN: unknown"""

    per_joule: Interval
    watts: float
    idle_watts: float

    def cells(self) -> tuple[str, str]:
        """Return the cells under HEADINGS."""
        value, low, high = self.per_joule
        most = digits(high) if math.isfinite(high) else "?"
        idle = digits(self.idle_watts) if math.isfinite(self.idle_watts) else "?"
        return f"{digits(value)} ({digits(low)}-{most})", f"{digits(self.watts)} ({idle})"


def energy_use(row: Mapping[Any, Any]) -> EnergyUse | None:
    """Return the energy use of a case, or None if it was not measured. row: one of its rows in a table from `records.read`"""
    if not row["joules"] > 0:
        return None
    low, high = row["joules_low"], row["joules_high"]
    per_joule = Interval(1 / row["joules"], 1 / high if high > 0 else 0.0, 1 / low if low > 0 else math.inf)
    return EnergyUse(per_joule, row["watts"], row["idle_watts"])


def columns(used: list[EnergyUse | None]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return the headings and cells of a table's columns about energy: none if no case has an energy."""
    if not any(used):
        return (), [() for _ in used]
    return HEADINGS, [one.cells() if one else ("-", "-") for one in used]
