"""`python -m bench trainers`: list of the trainers, with what each unavailable one needs."""

from __future__ import annotations

import argparse
import json

from bench.commands.arguments import Commands
from bench.machine import adapter
from bench.options import declare
from bench.text.numbers import plain
from bench.text.tables import Table
from impls import TRAINERS, unavailable


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("trainers", help="list trainers; explain how to enable unavailable ones")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    declare(parser.add_argument, "--adapter")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print one line per trainer, and one per adapter of WebGPU; the trainers on WebGPU use the first, or the one of --adapter."""
    reasons = {name: unavailable(name) for name in TRAINERS}
    if given.json:
        print(json.dumps(reasons))
        return 0
    rows = [(name, plain(reason) if reason else "available") for name, reason in reasons.items()]
    print(Table("", ("", ""), rows).text())
    for one in adapter.installed():
        print(f"WebGPU adapter: {one.described()}")
    return 0
