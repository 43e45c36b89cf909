"""`python -m bench plot`: charts of one or more CSVs, drawn by bench/plot/charts.py."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands
from bench.commands.console import print_files


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("plot", help="draw the charts of one or more CSVs")
    parser.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="CSV file, or directory to search for CSVs of finished runs")
    parser.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="write charts to DIR (default: beside the first CSV)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Draw the charts and print their paths."""
    from bench.plot import charts

    print_files(charts.draw(given.csv, given.directory))
    return 0
