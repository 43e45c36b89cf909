"""`python -m bench history REVISIONS`: speed of a trainer at each commit of a range."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands, add_duels, add_formats, count, seconds
from bench.commands.console import PAIRS_SHOWN, ended_early, print_answer, print_files, refuse
from bench.history import NEWEST, PAIRS, SECONDS
from bench.options import parse


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("history", help="measure a trainer at each commit of a range, and find where its speed changes")
    help_ = f"GOOD..BAD, or GOOD for GOOD..HEAD, along first parents (default: the newest {NEWEST} commits that change the trainer's code)"
    parser.add_argument("revisions", nargs="?", metavar="REVISIONS", help=help_)
    add_duels(parser, "--no-charts")
    parser.add_argument("--base", metavar="REVISION", help="pair each commit with this one (default: the first of the range)")
    parser.add_argument("--every", type=count, default=1, metavar="N", help="measure every N-th commit that changes the code, and the last")
    parser.add_argument("--tags", action="store_true", help="measure only commits with a tag")
    parser.add_argument("--pairs", type=count, default=PAIRS, metavar="N", help=f"measure N pairs of each commit (default: {PAIRS})")
    parser.add_argument("--seconds", type=seconds, default=SECONDS, metavar="S", help=f"stop after S seconds (default: {SECONDS:.0f})")
    add_formats(parser)
    parser.set_defaults(run=run, interrupted=PAIRS_SHOWN)


def run(given: argparse.Namespace) -> int:
    """Print the history; return 1 if the base is broken, 3 if some commits have too few pairs."""
    from bench.history.series import history
    from bench.paired.contender import ContenderError

    options = parse(given, results=Path("results/local"), trainers=[], workloads=["nielsen"])
    try:
        answer = history(
            given.revisions, options, base=given.base, every=given.every, tags=given.tags, pairs=given.pairs, seconds=given.seconds
        )
    except ContenderError as error:
        refuse(error)
        return 1
    print_answer(answer, given)
    csv = answer.log.csv if answer.log else None
    if options.charts and csv:
        from bench.plot import charts

        print_files(charts.draw_series(answer, csv.with_suffix("")), beside=given.json or given.markdown)
    if ended_early(answer.broken_off):
        return 1
    if waiting := sum(len(logs) < given.pairs for at, logs in answer.ratios.items() if at not in answer.skipped):
        refuse(f"{waiting} of {len(answer.ratios)} commits have fewer than {given.pairs} pairs; run the command again to go on")
        return 3
    return 0
