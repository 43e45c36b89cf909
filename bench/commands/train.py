"""`python -m bench train`: the accuracy against time."""

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
    parser = commands.add_parser("train", help="train and show the accuracy against time")
    declare(parser.add_argument, "--trainers", *JOB, "--data", "--threads", "--patience", "--results", "--machine", "--no-charts")
    parser.add_argument("--epochs", type=int, default=30, metavar="N", help="epochs to train (30)")
    parser.add_argument("--until", type=share, metavar="ACCURACY", help="stop at this test accuracy, 0.95 or 95%%; else exit 1")
    parser.set_defaults(run=run, interrupted=ROWS_KEPT)


def run(given: argparse.Namespace) -> int:
    """Train; return 1 if a trainer failed or the accuracy of --until was not reached."""
    from bench.measure.train import train
    from bench.verify.oracle import VerificationError

    if given.epochs < 1:
        raise InputError(f"--epochs {given.epochs}: give a whole number, 1 or more")
    options = parse(given, results=Path("results/local"), trainers=["matrix"], workloads=["nielsen"])
    if not sys.stdout.isatty():  # its lines come by another way, and would end up beside the progress
        show_with(logging.NullHandler())
    try:
        return 0 if train(options, epochs=given.epochs, until=given.until) else 1
    except VerificationError as error:
        refuse(error)
        return 1
