"""`python -m bench compare`: several machines in a table, or one over its commits."""

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
    parser = commands.add_parser("compare", help="several machines in a table: who is faster, where, and what else differs")
    add_csvs(parser)
    parser.add_argument("--baseline", metavar="MACHINE", help="whose epochs the others' are divided by (the first machine)")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("--markdown", action="store_true", help="as Markdown")
    parser.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="draw charts there")
    parser.add_argument("--between", metavar="A,B", type=two_names, help="the trainers whose speedup is mapped (the slowest, the fastest)")
    parser.add_argument("--over-time", action="store_true", help="instead, follow each machine's trainers over its commits")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the comparison, or with --over-time the history; return 3 if there is nothing to compare."""
    if given.json and given.markdown:
        raise InputError("--json and --markdown: give one or the other")
    if given.between and (given.over_time or not given.directory):
        raise InputError("--between names what is mapped in the charts of -o DIR: give that too, and no --over-time")
    if given.baseline and given.over_time:
        raise InputError("--baseline and --over-time: give one or the other; over time, each machine is held against itself")
    return _over_time(given) if given.over_time else _compare(given)


def _over_time(given: argparse.Namespace) -> int:
    from bench.analysis.history import history

    past = history(given.csv, broken=skipped if given.skip_broken else None)
    if not past.courses:
        print("epochbench: no machine has timed one job at two commits, so there is no course to follow", file=sys.stderr)
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
        print(
            "epochbench: no two of these machines timed the same job, so nothing compares them; run one workload on both", file=sys.stderr
        )
        return 3
    return 0


def _print(answer: Comparison | History, given: argparse.Namespace) -> None:
    """Print an answer in the form that was asked for."""
    print(answer.json() if given.json else answer.markdown() if given.markdown else answer.text())
