"""Output that the commands share: errors, progress, the paths of written files."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from bench.system.progress import progress, show_with
from bench.text.numbers import plain
from impls.errors import InputError

# Added to the message of an interrupted command.
ROWS_KEPT = "; finished rows, if any, are in the *.partial.csv"
PAIRS_SHOWN = "; results so far, if any, are printed"


class Answer(Protocol):
    """What a command found."""

    def text(self) -> str: ...
    def markdown(self) -> str: ...
    def json(self) -> str: ...


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


def print_answer(answer: Answer, given: argparse.Namespace) -> None:
    """Clear the progress line and print an answer as the options --json and --markdown say."""
    progress("")
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())


def ended_early(error: BaseException | None) -> bool:
    """Print the error that ended a measurement early, if it is a contender's failure, and return whether there is one. Raise a signal."""
    from bench.paired.contender import ContenderError
    from bench.paired.many_duels import Unmeasurable

    if isinstance(error, ContenderError | Unmeasurable):
        refuse(error)
    elif error:
        raise error
    return error is not None


def print_files(files: Iterable[Path], *, beside: bool = False) -> None:
    """Print the paths of written files.

    beside: print to standard error, because standard output has JSON or Markdown
    """
    for file in files:
        print(plain(str(file)), file=sys.stderr if beside else sys.stdout)


def skipped(_: Path, error: InputError) -> None:
    """Print that a command skips a broken file, and why."""
    refuse(f"skipped: {error}")
