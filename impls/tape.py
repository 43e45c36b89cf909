"""A list of calls that is recorded once and replayed many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments."""


class Tape:
    """Stands in for an array library: records each call of its functions instead of making it. `play` makes the calls.

    tape = Tape(np)
    tape.add(a, b, out=c)  # records the call
    play([tape])           # c = a + b, with the current contents of a and b
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._calls: list[Call] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a function that records a call of the library's function of that name, with `out` as the last positional argument."""
        function = getattr(self._xp, name)
        return lambda *arguments, out: self.record(function, *arguments, out)

    def record(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Record a call of any function."""
        self._calls.append((function, arguments))

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)


def play(tapes: Iterable[Tape]) -> None:
    """Make the calls of the tapes, in their order."""
    for tape in tapes:
        for function, arguments in tape:
            function(*arguments)
