"""`python -m bench machine`: description of this machine, and problems with its settings."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from bench.commands.arguments import Commands
from bench.text.tables import Table


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("machine", help="describe this machine")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--machine", metavar="NAME", help="name this machine in the results (default: its processor, cores and GPU)")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Print the machine's columns, its clock, and warnings about restrictions of this process and unsuitable BLAS kernels."""
    from bench.machine import affinity, blas, clock
    from bench.machine.identity import describe
    from bench.machine.restrictions import restrictions

    machine, checked, ticking = describe(given.machine), blas.check_kernels(), clock.measure()
    restricted = restrictions(affinity.default_threads())
    warning = checked.warning() if checked else None
    if given.json:
        checks = {
            "clock": asdict(ticking),
            "blas_check": asdict(checked) if checked else None,
            "warning": warning,
            "restrictions": restricted,
        }
        print(json.dumps({**asdict(machine), **checks}))
        return 0
    print(Table("", ("", ""), [*machine.lines(), ("clock", str(ticking))]).text())
    for line in (*restricted, *([warning] if warning else [])):
        print(f"warning: {line}")
    return 0
