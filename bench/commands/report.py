"""`python -m bench report`: one page with all results, to share."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands, add_csvs
from bench.commands.console import print_files, skipped


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("report", help="write one page to share: machines, trainers, maps, curves and raw rows")
    add_csvs(parser)
    parser.add_argument(
        "-o",
        dest="file",
        type=Path,
        default=Path("report.html"),
        metavar="FILE.html",
        help="write the page to FILE.html (default: report.html)",
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the page and print its path."""
    from bench.report.page import report

    report(given.csv, given.file, broken=skipped if given.skip_broken else None)
    print_files([given.file])
    return 0
