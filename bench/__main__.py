"""The second door, `python -m bench COMMAND`: parses, calls one function for each command, turns errors into exit codes.

0 fine, 1 the answer is no, 2 bad usage or bad input.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bench.options import declare, parse
from impls import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except InputError as error:
        print(f"epochbench: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("epochbench: interrupted; finished epochs are kept in the *.partial.csv", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="epochbench",
        description="What is done with measurements. To take them: pytest bench --benchmark-only",
        formatter_class=argparse.RawDescriptionHelpFormatter,  # a command is not to be broken at its hyphens
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    plot = commands.add_parser("plot", help="draw the charts of one or more CSVs")
    plot.add_argument("csv", nargs="+", type=Path, metavar="CSV")
    plot.add_argument("-o", dest="directory", type=Path, metavar="DIR", help="where the charts go (beside the first CSV)")
    plot.set_defaults(run=_plot)

    train = commands.add_parser("train", help="train and show the accuracy against time")
    declare(
        train.add_argument,
        *("--trainers", "--workload", "--dtype", "--examples", "--seed", "--data", "--threads", "--results", "--machine", "--no-charts"),
    )
    train.add_argument("--epochs", type=int, default=30, metavar="N", help="epochs to train (30)")
    train.add_argument("--until", type=_accuracy, metavar="ACCURACY", help="stop at this test accuracy, 0.95 or 95%%; else exit 1")
    train.set_defaults(run=_train)

    machine = commands.add_parser("machine", help="what this machine is")
    machine.add_argument("--json", action="store_true", help="as one JSON object")
    machine.add_argument("--machine", metavar="NAME", help="what results call it")
    machine.set_defaults(run=_machine)
    return parser


def _plot(given: argparse.Namespace) -> int:
    from bench import plot

    for file in plot.charts(given.csv, given.directory):
        print(file)
    return 0


def _train(given: argparse.Namespace) -> int:
    from bench.train import train
    from bench.verify import VerificationError

    if given.epochs < 1:
        raise InputError(f"--epochs {given.epochs}: give a whole number, 1 or more")
    options = parse(given, results=Path("results/local"), trainers=["matrix"], workloads=["nielsen"])
    try:
        return 0 if train(options, epochs=given.epochs, until=given.until) else 1
    except VerificationError as error:
        print(f"epochbench: {error}", file=sys.stderr)
        return 1


def _machine(given: argparse.Namespace) -> int:
    from bench.machine import describe

    machine = describe(given.machine)
    if given.json:
        print(json.dumps(asdict(machine)))
    else:
        for label, value in machine.lines():
            print(f"{label:<13} {value}")
    return 0


def _accuracy(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text}: give a fraction such as 0.95, or 95%")
    return share


if __name__ == "__main__":
    sys.exit(main())
