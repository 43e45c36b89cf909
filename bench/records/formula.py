"""Protection against CSV injection: an apostrophe before formula-like text, added by the writer and removed by the reader."""

from __future__ import annotations

import re

# Text that starts like a formula, with or without apostrophes before it.
_FORMULA = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def escape(text: str) -> str:
    """Return the cell for a text: formula-like text with an apostrophe prefix."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """Return the text of a cell, without the apostrophe of `escape`."""
    return cell.removeprefix("'") if _FORMULA.match(cell) else cell
