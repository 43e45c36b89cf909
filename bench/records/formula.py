"""Texts that a spreadsheet would take for a formula: written behind an apostrophe, which it takes for text; read without it."""

from __future__ import annotations

import re

# What begins like this, or is already behind apostrophes.
_FORMULA = re.compile(r"'*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")


def escape(text: str) -> str:
    """Return the cell for a text."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape(cell: str) -> str:
    """Return the text of a cell."""
    return cell.removeprefix("'") if _FORMULA.match(cell) else cell
