"""`python -m bench bisect GOOD BAD`: search for the commits from which a trainer is slower."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.bisect import MARGIN, SECONDS
from bench.commands.arguments import Commands, add_duels, add_formats, seconds, share
from bench.commands.console import PAIRS_SHOWN, ended_early, print_answer, print_files, refuse
from bench.options import parse
from impls import InputError


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("bisect", help="find the commits from which a trainer is slower")
    parser.add_argument("good", metavar="GOOD", nargs="?", help="revision before the slowdown")
    parser.add_argument(
        "bad", metavar="BAD", nargs="?", help="revision after it, such as HEAD; the first parents between them are searched"
    )
    parser.add_argument(
        "--package",
        metavar="NAME==FIRST..LAST",
        help="search the releases of a package instead, such as numpy==2.1..2.4, with the present code",
    )
    add_duels(parser, "--no-charts")
    parser.add_argument(
        "--margin", type=share, default=MARGIN, metavar="SHARE", help=f"set the smallest slowdown to find (default: {MARGIN:.0%}%)"
    )
    parser.add_argument("--seconds", type=seconds, default=SECONDS, metavar="S", help=f"limit the time (default: {SECONDS:.0f})")
    parser.add_argument("--merges", action="store_true", help="search the branch of a merge that made the trainer slower, too")
    add_formats(parser)
    parser.set_defaults(run=run, interrupted=PAIRS_SHOWN)


def run(given: argparse.Namespace) -> int:
    """Print the culprits; return 1 if a revision is broken, 3 if the search did not end by itself."""
    from bench.bisect.bisect import bisect, bisect_package
    from bench.paired.contender import ContenderError
    from bench.paired.environment import releases
    from bench.paired.many_duels import Unmeasurable

    if bool(given.package) == bool(given.bad):
        raise InputError("bisect", "needs two revisions, or --package", "give GOOD BAD, or --package NAME==FIRST..LAST")
    options = parse(given, results=Path("results/local"), trainers=[], workloads=["nielsen"])
    try:
        if given.package:
            answer = bisect_package(releases(given.package), options, margin=given.margin, seconds=given.seconds)
        else:
            answer = bisect(given.good, given.bad, options, margin=given.margin, seconds=given.seconds, merges=given.merges)
    except (ContenderError, Unmeasurable) as error:
        refuse(error)
        return 1
    print_answer(answer, given)
    if options.charts and answer.log.csv:
        from bench.plot import charts

        print_files(charts.draw_bisection(answer, answer.log.csv.with_suffix("")), beside=given.json or given.markdown)
    if ended_early(answer.broken_off):
        return 1
    return 0 if answer.complete else 3
