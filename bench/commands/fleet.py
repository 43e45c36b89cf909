"""`mpiexec ... python -m bench fleet`: one benchmark per host, and a report of slow hosts."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands
from bench.commands.console import ROWS_KEPT
from bench.options import declare, parse, spelled


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("fleet", help="under mpiexec: benchmark each host once and report slow ones; exit 1 if a host is slow")
    declare(parser.add_argument)
    parser.add_argument("--in-turn", action="store_true", help="run hosts one at a time (default: all at once)")
    parser.set_defaults(run=run, interrupted=ROWS_KEPT)


def run(given: argparse.Namespace) -> int:
    """Measure on every host; return 1 if a host failed or is slow."""
    from bench.mpi.fleet import fleet
    from bench.mpi.ranks import supervised

    job = spelled(given, without=("--results", "--machine", "--no-charts"))
    return supervised(lambda: fleet(lambda: parse(given, results=Path("results/local")), job, in_turn=given.in_turn))
