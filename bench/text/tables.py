"""Tables as terminal text and as Markdown. A cell may have several lines."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_NEVER_CUT = 10_000  # columns: rich must not wrap or truncate; the terminal wraps lines that long names make too wide


@dataclass(frozen=True)
class Table:
    """A title, headings, rows with one cell per heading, and notes below. The title, or all headings, may be empty.

    numbers  whether all columns except for the first are numbers, which are right-aligned
    widest   letters of a column of the text; longer cells have several lines (None: no limit)
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    numbers: bool = False
    widest: int | None = None

    def text(self, *, colours: bool = False) -> str:
        """Return the table as terminal text."""
        from rich.console import Console
        from rich.table import Table as Grid
        from rich.text import Text

        grid = Grid(box=None, padding=(0, 2 if self.numbers else 3, 0, 0), pad_edge=False, show_header=any(self.headings))
        grid.header_style = "bold" if colours else ""
        for column, heading in enumerate(self.headings):
            justify: Literal["right", "left"] = "right" if self.numbers and column else "left"
            grid.add_column(Text(heading), no_wrap=self.widest is None, max_width=self.widest, overflow="fold", justify=justify)
        for row in self.rows:
            grid.add_row(*map(Text, row))
        output = io.StringIO()
        console = Console(file=output, width=_NEVER_CUT, force_terminal=colours, color_system="standard" if colours else None)
        if self.title:
            console.print(Text(self.title, style="bold" if colours else ""))
        if self.rows:
            console.print(grid)
        return "\n".join([*(line.rstrip() for line in output.getvalue().splitlines()), *self.notes])

    def markdown(self) -> str:
        """Return the table as Markdown, for an issue or a README."""
        rule = ["---", *["---:" if self.numbers else "---"] * (len(self.headings) - 1)]
        lines = [[escaped(cell) for cell in self.headings], rule, *([escaped(cell) for cell in row] for row in self.rows)]
        table = [f"| {' | '.join(line)} |" for line in lines] if self.rows else []
        notes = [f"- {escaped(note)}" for note in self.notes]
        title = [f"### {escaped(self.title)}", *([""] if table else [])] if self.title else []
        return "\n".join([*title, *table, *([""] if notes else []), *notes])


def escaped(cell: str) -> str:
    """Escape Markdown's special characters. Convert a line break to <br>."""
    return re.sub(r"([\\`*_\[\]|~<>&$])", r"\\\1", cell).replace("\n", "<br>")
