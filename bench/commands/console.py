"""What every command prints alike: refusals, progress, the names of written files."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.system.progress import progress, show_with
from bench.text.numbers import plain
from impls.errors import InputError

# What a command that is interrupted adds to saying so.
ROWS_KEPT = "; what was finished is kept in the *.partial.csv, if there was anything"
PAIRS_SHOWN = "; what was measured before that is told, if there was anything"


class _Printed(logging.Handler):
    """Prints a message as it is, in place of the progress: a warning on the standard error of the moment, others on its output."""

    def emit(self, record: logging.LogRecord) -> None:
        progress("")
        print(record.getMessage(), file=sys.stderr if record.levelno >= logging.WARNING else sys.stdout, flush=True)


class _Rewritten(logging.Handler):
    """Shows a message in place of the last one, if standard error is a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stderr.isatty():
            print(f"\r\x1b[K{record.getMessage()}", end="", file=sys.stderr, flush=True)


def print_messages() -> None:
    """Print what the packages of bench/ log for people, and show their progress."""
    logger = logging.getLogger("bench")
    logger.handlers = [_Printed()]
    logger.setLevel(logging.INFO)
    show_with(_Rewritten())


def refuse(error: Exception | str) -> None:
    """Say on one line why something is not done, in place of the progress."""
    progress("")
    print(f"epochbench: {plain(str(error))}", file=sys.stderr)


def print_files(files: Iterable[Path], *, beside: bool = False) -> None:
    """Print which files were written; beside an answer that a program or a page is to read, as errors are."""
    for file in files:
        print(plain(str(file)), file=sys.stderr if beside else sys.stdout)


def skipped(_: Path, error: InputError) -> None:
    """Say that a file was left out."""
    refuse(f"skipped: {error}")
