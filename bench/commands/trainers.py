"""`python -m bench trainers`: which trainers there are, and what the others lack."""

from __future__ import annotations

import argparse
import json

from bench.commands.arguments import Commands
from bench.text.numbers import plain
from bench.text.tables import Table
from impls import TRAINERS, unavailable


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("trainers", help="which trainers there are; of those that cannot run here, why, and what mends it")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print a line for each trainer."""
    reasons = {name: unavailable(name) for name in TRAINERS}
    if given.json:
        print(json.dumps(reasons))
        return 0
    rows = [(name, plain(reason) if reason else "runs here") for name, reason in reasons.items()]
    print(Table("", ("", ""), rows).text())
    return 0
