"""Entry point of the command line, `python -m bench COMMAND`.

Exit codes: 0 success, 1 negative result, 2 bad usage or bad input, 3 undecided, 130 interrupted by Ctrl-C (SIGTERM: 143, SIGHUP: 129).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import NoReturn

from impls import InputError
from impls.programs import pip

try:
    from bench.commands import COMMANDS
    from bench.commands.console import print_messages, refuse
    from bench.machine import adapter
    from bench.system import own_code
    from bench.system.exits import exit_without_waiting
    from bench.system.signals import Stopped, listen
    from bench.system.streams import reader_may_leave, reopen_closed
except ModuleNotFoundError as error:  # in a clone, python -m bench starts with any interpreter
    if (error.name or "").partition(".")[0] in ("bench", "impls"):
        raise
    fix = f"use the interpreter that epochbench is installed for, or {pip()} install -e ."
    print(f"epochbench: {sys.executable} has no module {error.name}; {fix}", file=sys.stderr)
    sys.exit(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    reopen_closed()
    own_code.find_modules_here()
    with reader_may_leave("stdout"), reader_may_leave("stderr"):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    given = _parser().parse_args(arguments)
    listen()
    print_messages()
    try:
        adapter.choose(vars(given).get("bench_adapter"))
        code = int(given.run(given))
        sys.stdout.flush()  # raises OSError here, rather than at exit, if the output cannot be written
        return code
    except (InputError, OSError) as error:
        refuse(error)
        return 2
    except Stopped as stopped:
        refuse(f"interrupted{getattr(given, 'interrupted', '')}")
        return 128 + stopped.number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epochbench",
        description="Time trainers of a neural network, analyse results, and compare revisions.",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # the default would break the line at a command's hyphens
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def _version() -> str:
    try:
        return metadata.version("epochbench")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def console() -> NoReturn:
    """Run the command line and exit, even if a trainer has left a thread that does not end."""
    code = main()
    exit_without_waiting(code)
    sys.exit(code)


if __name__ == "__main__":
    console()
