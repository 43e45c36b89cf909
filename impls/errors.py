"""The exceptions for users: invalid input, a case that a trainer does not support, and a device that fails."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Invalid input from the caller. The message is one line: `<thing>: <problem>; <fix>`.

    thing    what is invalid, as the caller named it: an option with its value, a file with its line and column, an argument
    problem  why it is invalid
    fix      what to do; empty if the problem says it
    """

    def __init__(self, thing: object, problem: object, fix: str = "") -> None:
        self.thing, self.problem, self.fix = str(thing), str(problem), fix
        super().__init__(self.thing, self.problem, self.fix)  # strings, so that it can be pickled

    def __str__(self) -> str:
        return f"{self.thing}: {self.problem}" + (f"; {self.fix}" if self.fix else "")


class Unsupported(Exception):
    """A network, batch size or machine that a trainer does not support. The message gives the reason.

    A trainer's constructor raises it. The bench then skips the case and prints the message.
    """


class DeviceError(RuntimeError):
    """A device failed, for example because its driver restarted it. The message is one line: `<device>: <problem>; <fix>`."""


def unknown(kind: str, name: str, known: Iterable[str], *, otherwise: str = "") -> InputError:
    """Return an InputError for an unknown name. Its message suggests the closest known name, or lists all of them.

    kind       the kind of name, such as "trainer"
    name       the unknown name
    known      the valid names
    otherwise  text after the list of names
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return InputError(f"unknown {kind} {name!r}", f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}{otherwise}")
