"""The two refusals that a user can meet: wrong input, and a case that a trainer was not made for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """What the caller gave cannot be used. The message is one line that names the thing and the remedy."""


class Unsupported(Exception):
    """This trainer was not made for this network, batch size or machine. The message says why.

    Raised by a trainer's constructor; the bench shows the case as skipped, with the message as its reason.
    """


def unknown(kind: str, name: str, known: Iterable[str], *, otherwise: str = "") -> InputError:
    """Return the refusal of a name that is none of the known ones, with the nearest of them or else all."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1)
    return InputError(f"unknown {kind} {name!r}: " + (f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}{otherwise}"))
