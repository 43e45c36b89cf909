"""Output that the commands share: errors, progress, the paths of written files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.system.progress import progress, show_with
from bench.text.numbers import plain
from impls.errors import InputError

# Added to the message of an interrupted command.
ROWS_KEPT = "; finished rows, if any, are in the *.partial.csv"
PAIRS_SHOWN = "; results so far, if any, are printed"


class _Printed(logging.Handler):
    """Handler that clears the progress line and prints a message: warnings to standard error, others to standard output."""

    def emit(self, record: logging.LogRecord) -> None:
        progress("")
        print(record.getMessage(), file=sys.stderr if record.levelno >= logging.WARNING else sys.stdout, flush=True)


class _Rewritten(logging.Handler):
    """Handler that overwrites the progress line, if standard error is a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{record.getMessage()}", end="", file=sys.stderr, flush=True)


def print_messages() -> None:
    """Print the log messages of bench/, and display progress."""
    logger = logging.getLogger("bench")
    logger.handlers = [_Printed()]
    logger.setLevel(logging.INFO)
    show_with(_Rewritten())


def refuse(error: Exception | str) -> None:
    """Clear the progress line and print an error on one line of standard error."""
    progress("")
    print(f"epochbench: {plain(str(error))}", file=sys.stderr)


def print_files(files: Iterable[Path], *, beside: bool = False) -> None:
    """Print the paths of written files.

    beside: print to standard error, because standard output has JSON or Markdown
    """
    for file in files:
        print(plain(str(file)), file=sys.stderr if beside else sys.stdout)


def skipped(_: Path, error: InputError) -> None:
    """Print that a command skips a broken file, and why."""
    refuse(f"skipped: {error}")
