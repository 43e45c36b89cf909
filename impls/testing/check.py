"""A check of one promise, and the list of all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from impls.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Check:
    """One check of one promise. Call it with a trainer's class; its text is its name, for test ids.

    function   what it runs; its docstring states the promise
    arguments  of the function, besides the class
    """

    function: Callable[..., None]
    arguments: dict[str, Any] = field(default_factory=dict)

    def __call__(self, kind: type[Trainer]) -> None:
        self.function(kind, **self.arguments)

    def __str__(self) -> str:
        values = ",".join(f"{name}={_as_id(value)}" for name, value in self.arguments.items())
        return self.function.__name__ + (f"({values})" if values else "")


def _as_id(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, tuple) else str(value)


registered: list[Check] = []


def for_each(**values: Sequence[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the decorated function to CHECKS, once for every combination of the values."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        registered.extend(Check(function, dict(zip(values, chosen, strict=True))) for chosen in itertools.product(*values.values()))
        return function

    return register
