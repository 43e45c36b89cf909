"""The accelerator that a trainer computes on: as columns of the CSV, in tables, and whose sensors show it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impls import Trainer
from impls.accelerator import Accelerator

_COLUMNS = {field: "accelerator" if field == "name" else f"accelerator_{field}" for field in Accelerator._fields}
ACCELERATOR = tuple(_COLUMNS.values())  # the columns
SOFTWARE = "software"  # the kind of an adapter that is a program on the processor


def accelerator_columns(trainer: type[Trainer]) -> dict[str, Any]:
    """Return the columns; empty texts if the processor computes, or if the library fails to say."""
    try:
        found = trainer.accelerator()
    except Exception:  # a library may fail in any way
        found = None
    return {column: str(getattr(found, field, "") or "") for field, column in _COLUMNS.items()}


def sensed(trainer: type[Trainer]) -> str:
    """Return whose sensors and counters show the trainer's device: "cpu", "gpu" for the one that CUDA uses, or none: an empty text."""
    vendor = accelerator_columns(trainer)["accelerator_vendor"]
    return trainer.device if trainer.device == "cpu" or vendor in ("", "NVIDIA") else ""


def accelerator_of(row: Mapping[Any, Any]) -> Accelerator | None:
    """Return the accelerator of a row; None if the processor computed, or if it is unknown."""
    found = Accelerator(**{field: row[column] for field, column in _COLUMNS.items()})
    return found if found.name else None


def labelled(trainer: str, row: Mapping[str, Any]) -> str:
    """Return the trainer's name in tables and charts: with "(software)" if it ran on a software adapter."""
    return f"{trainer} ({SOFTWARE})" if row["accelerator_kind"] == SOFTWARE else trainer
