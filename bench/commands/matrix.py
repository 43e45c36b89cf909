"""`python -m bench matrix --with PACKAGE=VERSION,...`: a trainer's speed under several versions."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import JOB, SHORT_EPOCHS, Commands, count, seconds, versions
from bench.commands.console import PAIRS_SHOWN, print_files, refuse
from bench.options import declare, parse
from bench.system.progress import progress

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
    defaults = {"--workload": "nielsen", "--examples": SHORT_EPOCHS, "--threads": "1"}
    names = ("--trainers", *JOB, "--data", "--split", "--threads", "--results", "--machine")
    declare(parser.add_argument, *names, one_workload=True, defaults=defaults)
    parser.add_argument("--pairs", type=count, default=_PAIRS, metavar="N", help=f"measure N pairs of each combination (default: {_PAIRS})")
    parser.add_argument("--seconds", type=seconds, default=_SECONDS, metavar="S", help=f"stop after S seconds (default: {_SECONDS:.0f})")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
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
    progress("")
    print(answer.json() if given.json else answer.table().markdown() if given.markdown else answer.table().text())
    print_files([answer.csv] if answer.csv else [], beside=given.json or given.markdown)
    if isinstance(answer.broken_off, ContenderError):
        refuse(answer.broken_off)
        return 1
    if answer.broken_off:
        raise answer.broken_off
    return 0 if all(answer.ratios.values()) else 3
