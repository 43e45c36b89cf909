"""Arguments that several commands take, and the conversion of their text."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from bench.machine.affinity import THREAD_VARIABLES

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

JOB = ("--workload", "--dtype", "--examples", "--seed")  # the options that say what is trained


def add_csvs(parser: argparse.ArgumentParser) -> None:
    """Declare the CSVs that a command reads, and what it does with broken ones."""
    parser.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="a file, or a directory: all CSVs of finished runs in it")
    parser.add_argument("--skip-broken", action="store_true", help="leave files out that cannot be read, instead of refusing all")


def share(text: str) -> float:
    """Return a fraction above 0, up to 1, given as such or in percent."""
    try:
        fraction = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        raise argparse.ArgumentTypeError(f"{text}: give a fraction such as 0.95, or 95%")
    return fraction


def two_names(text: str) -> tuple[str, str]:
    """Return two names that are separated by a comma."""
    one, comma, other = (part.strip() for part in text.partition(","))
    if not (one and comma and other):
        raise argparse.ArgumentTypeError(f"{text}: give two trainers, A,B")
    return one, other


def seconds(text: str) -> float:
    """Return a finite number of seconds above 0."""
    return _positive(text, "seconds")


def minutes(text: str) -> float:
    """Return a finite number of minutes above 0."""
    return _positive(text, "minutes")


def _positive(text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: give {unit}, more than 0")
    return number


def variable(text: str) -> tuple[str, str]:
    """Return the name and the value of an environment variable that is not about threads."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text}: give NAME=VALUE")
    if name in THREAD_VARIABLES:
        raise argparse.ArgumentTypeError(f"{name}: threads are held for both alike; give --threads N")
    return name, value
