"""`mpiexec ... python -m bench scale`: strong and weak scaling over 1, 2, 4, ... ranks, and a prediction for more."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import JOB, Commands
from bench.commands.console import ROWS_KEPT
from bench.options import declare, parse


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("scale", help="under mpiexec: time an epoch over 1, 2, 4, ... ranks, and predict it for more")
    names = ("--trainers", *JOB, "--rounds", "--data", "--split", "--threads", "--results", "--machine", "--no-charts")
    declare(parser.add_argument, *names, defaults={"--trainers": "mpi"})
    parser.add_argument("--oversubscribe", action="store_true", help="also measure more ranks than there are processors (minutes)")
    parser.set_defaults(run=run, interrupted=ROWS_KEPT)


def run(given: argparse.Namespace) -> int:
    """Measure on all ranks; the first rank prints the table."""
    from bench.mpi.ranks import supervised
    from bench.mpi.scaling import scale

    return supervised(
        lambda: scale(lambda: parse(given, results=Path("results/local"), trainers=["mpi"]), oversubscribe=given.oversubscribe)
    )
