"""A table as text for a terminal and as Markdown. A cell may have several lines."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

_NEVER_CUT = 10_000  # a table takes the width it needs; a terminal wraps what names make too long


@dataclass(frozen=True)
class Table:
    """A title, headings, rows of as many cells, and what is to be said below."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """Return it for a terminal."""
        from rich.console import Console
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None, padding=(0, 3, 0, 0), pad_edge=False)
        for heading in self.headings:
            grid.add_column(Text(heading), no_wrap=True)
        for row in self.rows:
            grid.add_row(*map(Text, row))
        output = io.StringIO()
        if self.rows:
            Console(file=output, width=_NEVER_CUT, color_system=None).print(grid)
        return "\n".join([self.title, *(line.rstrip() for line in output.getvalue().splitlines()), *self.notes])

    def markdown(self) -> str:
        """Return it for an issue or a README."""
        rows = [self.headings, ["---"] * len(self.headings), *([escaped(cell) for cell in row] for row in self.rows)]
        table = [f"| {' | '.join(row)} |" for row in ([escaped(cell) for cell in rows[0]], *rows[1:])] if self.rows else []
        notes = [f"- {escaped(note)}" for note in self.notes]
        return "\n".join([f"### {escaped(self.title)}", *([""] if table else []), *table, *([""] if notes else []), *notes])


def escaped(cell: str) -> str:
    """Return text that Markdown shows as it is; a line break stays one."""
    return re.sub(r"([\\`*_\[\]|~<>&$])", r"\\\1", cell).replace("\n", "<br>")
