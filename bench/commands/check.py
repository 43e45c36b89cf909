"""`python -m bench check`: validation of a CSV before it is contributed."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import Commands
from bench.text.numbers import plain


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("check", help="validate a CSV before contributing it: complete, plausible and free of personal data")
    parser.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="CSV file, or directory to search for CSVs of finished runs")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the problems of the files and their noisy cases; return 1 if a file has a problem, 3 if all cases of one are noisy."""
    from bench import records
    from bench.analysis import noise
    from bench.analysis.copies import cases, published
    from bench.analysis.validate import check

    paths = records.files(given.csv)
    tables = {path: records.read([path]) for path in paths}
    known = published() | {path: cases(table) for path, table in tables.items()}
    problems = [str(problem) for path in paths for problem in check(path, known)]
    fine = [f"{path}: complete, plausible and free of personal data" for path in paths]
    noisy = {path: noise.detect(table) for path, table in tables.items()}
    disturbed = [f"{path}: {line}" for path, found in noisy.items() for line in noise.format_lines(found)]
    unusable = [path for path, found in noisy.items() if noise.covers(found, tables[path])]
    disturbed += [f"{path}: every case was disturbed; measure again when the machine is idle" for path in unusable]
    print(*map(plain, [*(problems or fine), *disturbed]), sep="\n")
    return 1 if problems else 3 if unusable else 0
