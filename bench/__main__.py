"""The command line, `python -m bench COMMAND`: parses, runs one command, turns errors and signals into exit codes.

0 fine, 1 the answer is no, 2 bad usage or bad input, 3 could not decide, 130 interrupted by Ctrl-C (SIGTERM: 143, SIGHUP: 129).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import metadata

from bench.commands import COMMANDS
from bench.commands.console import print_messages, refuse
from bench.system.signals import Stopped, listen
from bench.system.streams import reader_may_leave
from impls import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with reader_may_leave("stdout"), reader_may_leave("stderr"):
        return _run(arguments)


def _run(arguments: Sequence[str] | None) -> int:
    given = _parser().parse_args(arguments)
    listen()
    print_messages()
    try:
        code = int(given.run(given))
        sys.stdout.flush()  # what cannot be written is told
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
        description="What is done with measurements. To take them: pytest bench --benchmark-only",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a command is not to be broken at its hyphens
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
    return parser


def _version() -> str:
    try:
        return metadata.version("epochbench")
    except metadata.PackageNotFoundError:  # a clone that is not installed
        return "of this clone"


if __name__ == "__main__":
    sys.exit(main())
