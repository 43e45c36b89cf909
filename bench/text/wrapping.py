"""Line breaks at the width of the terminal."""

from __future__ import annotations

import shutil
import sys
import textwrap

_NARROWEST, _WIDEST = 40, 100  # columns; a longer line is hard to read


def wrapped(text: str) -> str:
    """Return the text, each of its lines broken between words at the width of the terminal and indented from the second line on.

    If the output is a file or a pipe, a line stays whole. A word, such as a path, is never broken.
    """
    if not (sys.stdout and sys.stdout.isatty()):
        return text
    width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
    parts = (
        textwrap.fill(part, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False) for part in text.splitlines()
    )
    return "\n".join(parts)
