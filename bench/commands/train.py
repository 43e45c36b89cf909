"""`python -m bench train`: accuracy against time."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from bench.commands.arguments import JOB, Commands, share
from bench.commands.console import ROWS_KEPT, refuse
from bench.options import declare, parse
from bench.system.progress import show_with
from impls import InputError


def add_parser(commands: Commands) -> None:
    """Declare the command's arguments."""
    parser = commands.add_parser("train", help="train, and plot the accuracy against time")
    names = ("--trainers", *JOB, "--data", "--split", "--threads", "--adapter", "--patience", "--results", "--machine", "--no-charts")
    declare(parser.add_argument, *names, one_workload=True, defaults={"--trainers": "matrix", "--workload": "nielsen"})
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="train for N epochs (default: 30)")
    parser.add_argument(
        "--until", type=share, metavar="ACCURACY", help="stop at this test accuracy, such as 0.95 or 95%%; exit 1 if not reached"
    )
    parser.set_defaults(run=run, interrupted=ROWS_KEPT)


def run(given: argparse.Namespace) -> int:
    """Train; return 1 if a trainer failed or the accuracy of --until was not reached."""
    from bench.measure.train import train
    from bench.verify.oracle import VerificationError

    if given.epochs < 1:
        raise InputError(f"--epochs {given.epochs}", "must be a whole number, 1 or more")
    options = parse(given, results=Path("results/local"), trainers=["matrix"], workloads=["nielsen"])
    if not sys.stdout.isatty():  # piped output may arrive on the same terminal, in the middle of the progress line
        show_with(logging.NullHandler())
    try:
        return 0 if train(options, epochs=given.epochs, until=given.until) else 1
    except VerificationError as error:
        refuse(error)
        return 1
