"""The class of a contract check, and the registry of all checks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from impls.trainer import Trainer


@dataclass(frozen=True, eq=False)
class Check:
    """A check of one requirement of the contract. Call it with a trainer's class; str() returns its name, for test ids.

    function   the function to call; its docstring states the requirement
    arguments  arguments of the function, in addition to the class
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
    """Return a decorator that adds a function to CHECKS, once for every combination of the values."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        registered.extend(Check(function, dict(zip(values, chosen, strict=True))) for chosen in itertools.product(*values.values()))
        return function

    return register
