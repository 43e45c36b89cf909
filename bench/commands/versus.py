"""`python -m bench versus`: comparison of two contenders on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench.commands.arguments import JOB, SHORT_EPOCHS, Commands, seconds, variable
from bench.commands.console import PAIRS_SHOWN, print_files, refuse
from bench.options import declare, parse
from bench.system.progress import progress


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("versus", help="compare two contenders on this machine: which is faster, and by how much")
    for name in "AB":
        parser.add_argument(name.lower(), metavar=name, help="trainer or module:Class, optionally with @revision")
    defaults = {"--workload": "nielsen", "--examples": SHORT_EPOCHS, "--threads": "1"}
    declare(parser.add_argument, *JOB, "--data", "--split", "--threads", "--adapter", "--machine", one_workload=True, defaults=defaults)
    parser.add_argument("--seconds", type=seconds, default=60.0, metavar="S", help="limit the time to S seconds (default: 60)")
    for name in "ab":
        parser.add_argument(f"--{name}-python", metavar="EXE", help=f"run {name.upper()} with this interpreter (default: the current one)")
        requirement = f"run {name.upper()} with this version of a package, such as numpy==2.1.*, in an environment of its own; repeatable"
        parser.add_argument(f"--{name}-with", metavar="REQ", action="append", default=[], help=requirement)
        environment = f"set an environment variable for {name.upper()}; repeatable"
        parser.add_argument(f"--{name}-env", metavar="K=V", type=variable, action="append", default=[], help=environment)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="write the CSV and the chart of the pairs to DIR")
    parser.set_defaults(run=run, interrupted=PAIRS_SHOWN)


def run(given: argparse.Namespace) -> int:
    """Print the ratio; return 1 if a contender is broken, 3 if a contender is absent or the ratio is unknown."""
    from bench import records
    from bench.paired.contender import ContenderError
    from bench.paired.versus import Side, versus

    options = parse(given, results=given.directory or Path("results/local"), trainers=[], workloads=["nielsen"])
    if given.directory:
        records.check_writable(given.directory, option="-o")
    one = Side(given.a, given.a_python, dict(given.a_env), tuple(given.a_with))
    other = Side(given.b, given.b_python, dict(given.b_env), tuple(given.b_with))
    try:
        answer = versus(one, other, options, seconds=given.seconds)
    except ContenderError as error:
        refuse(error)
        return 3 if error.absent else 1
    progress("")
    print(answer.json() if given.json else answer.text())
    if given.directory:
        from bench.plot import charts

        csv = answer.save(given.directory, options.machine)
        charted = charts.draw_ratios(answer.duel, {"": answer.pairs}, answer.ratio, csv.with_suffix("")) if answer.ratio.known else []
        files = [csv, *charted]
        if not given.json:
            print_files(files)
    if isinstance(answer.broken_off, ContenderError):
        refuse(answer.broken_off)
        return 1
    if answer.broken_off:
        raise answer.broken_off
    return 0 if answer.ratio.known else 3
