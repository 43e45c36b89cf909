"""`python -m bench matrix --with PACKAGE=VERSION,...`: a trainer's speed under several versions."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands, add_duels, add_formats, count, seconds, versions
from bench.commands.console import PAIRS_SHOWN, ended_early, print_answer, print_files, refuse
from bench.options import parse

_PAIRS, _SECONDS = 16, 600.0


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("matrix", help="compare versions of packages and of Python: which makes a trainer faster")
    parser.add_argument(
        "--with",
        dest="axes",
        type=versions,
        action="append",
        required=True,
        metavar="NAME=VERSION,...",
        help="a package, or python, with versions",
    )
    add_duels(parser)
    parser.add_argument("--pairs", type=count, default=_PAIRS, metavar="N", help=f"measure N pairs of each combination (default: {_PAIRS})")
    parser.add_argument("--seconds", type=seconds, default=_SECONDS, metavar="S", help=f"stop after S seconds (default: {_SECONDS:.0f})")
    add_formats(parser)
    parser.set_defaults(run=run, interrupted=PAIRS_SHOWN)


def run(given: argparse.Namespace) -> int:
    """Print the table; return 1 if the first combination is broken, 3 if one has no pair."""
    from bench.paired.contender import ContenderError
    from bench.paired.version_matrix import version_matrix

    options = parse(given, results=Path("results/local"), trainers=[], workloads=["nielsen"])
    try:
        answer = version_matrix(given.axes, options, pairs=given.pairs, seconds=given.seconds)
    except ContenderError as error:
        refuse(error)
        return 1
    print_answer(answer, given)
    print_files([answer.log.csv] if answer.log.csv else [], beside=given.json or given.markdown)
    if ended_early(answer.broken_off):
        return 1
    return 0 if all(answer.ratios.values()) else 3
