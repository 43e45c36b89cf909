"""A list of calls that is made once and played many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function and its arguments."""


class Tape:
    """Stands in for an array library: notes each call of its functions, and makes none until `play`.

    tape = Tape(np)
    tape.add(a, b, out=c)  # notes the call
    play([tape])           # c = a + b, with what is in a and b by then
    """

    def __init__(self, xp: Any) -> None:
        self._xp = xp
        self._calls: list[Call] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        """Return a function that notes a call of the library's function of that name, with `out` as the last positional argument."""
        function = getattr(self._xp, name)
        return lambda *arguments, out: self.note(function, *arguments, out)

    def note(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Note a call of any function."""
        self._calls.append((function, arguments))

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)


def play(tapes: Iterable[Tape]) -> None:
    """Make the calls of the tapes, in their order."""
    for tape in tapes:
        for function, arguments in tape:
            function(*arguments)
