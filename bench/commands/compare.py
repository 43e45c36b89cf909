"""`python -m bench compare`: comparison of machines, or of one machine's commits."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands.arguments import Commands, add_csvs, two_names
from bench.commands.console import print_files, skipped
from impls import InputError

if TYPE_CHECKING:
    from bench.analysis.compare import Comparison
    from bench.analysis.history import History


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("compare", help="compare machines in a table: which is faster, on which workload, and what else differs")
    add_csvs(parser)
    parser.add_argument("--baseline", metavar="MACHINE", help="compare against this machine (default: the first)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")
    parser.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="write charts to DIR")
    parser.add_argument(
        "--between", metavar="A,B", type=two_names, help="map the speedup of these two trainers (default: the slowest and the fastest)"
    )
    parser.add_argument("--over-time", action="store_true", help="compare the commits of each machine instead")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the comparison, or with --over-time the history; return 3 if there is nothing to compare."""
    if given.json and given.markdown:
        raise InputError("--json and --markdown", "give one or the other")
    if given.between and (given.over_time or not given.directory):
        raise InputError("--between", "applies only to the map that -o DIR draws", "give -o DIR, without --over-time")
    if given.baseline and given.over_time:
        raise InputError("--baseline and --over-time", "give one or the other", "--over-time compares each machine with itself")
    return _over_time(given) if given.over_time else _compare(given)


def _over_time(given: argparse.Namespace) -> int:
    from bench.analysis.history import history

    past = history(given.csv, broken=skipped if given.skip_broken else None)
    if not past.courses:
        print("epochbench: no machine timed the same job at two commits; run one workload at both", file=sys.stderr)
        return 3
    _print(past, given)
    if given.directory:
        from bench.plot import charts

        print_files(charts.draw_history(past, given.directory), beside=given.json or given.markdown)
    return 0


def _compare(given: argparse.Namespace) -> int:
    from bench.analysis.compare import compare

    answer = compare(given.csv, baseline=given.baseline, broken=skipped if given.skip_broken else None)
    _print(answer, given)
    if given.directory:
        from bench.plot import charts

        print_files(charts.draw_comparison(answer, given.directory, given.between), beside=given.json or given.markdown)
    if not answer.comparable:
        print("epochbench: no two of these machines timed the same job; run one workload on both", file=sys.stderr)
        return 3
    return 0


def _print(answer: Comparison | History, given: argparse.Namespace) -> None:
    """Print an answer as JSON, Markdown or text."""
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())
