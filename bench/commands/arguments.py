"""Arguments that several commands share, and the parsing of their values."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from bench.machine.affinity import THREAD_VARIABLES
from bench.options import declare

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

JOB = ("--workload", "--dtype", "--examples", "--seed")  # the options that define a workload
SHORT_EPOCHS = "as many as keep an epoch near 20 ms, but at least 2,000"  # default of --examples where pairs of epochs are measured


def add_csvs(parser: argparse.ArgumentParser) -> None:
    """Declare the CSV arguments and --skip-broken."""
    parser.add_argument("csv", nargs="+", type=Path, metavar="CSV", help="CSV file, or directory to search for CSVs of finished runs")
    parser.add_argument("--skip-broken", action="store_true", help="skip unreadable files instead of failing")


def add_duels(parser: argparse.ArgumentParser, *more: str) -> None:
    """Declare the options of a command that measures many duels of one trainer on one workload. more: other options to declare"""
    defaults = {"--workload": "nielsen", "--examples": SHORT_EPOCHS, "--threads": "1"}
    names = ("--trainers", *JOB, "--data", "--split", "--threads", "--adapter", "--results", "--machine", *more)
    declare(parser.add_argument, *names, one_workload=True, defaults=defaults)


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Declare --json and --markdown."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--markdown", action="store_true", help="print Markdown")


def share(text: str) -> float:
    """Parse a fraction above 0, up to 1, such as 0.95 or 95%."""
    try:
        fraction = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        fraction = 0.0
    if not 0 < fraction <= 1:
        given = f"{fraction:g} % is {fraction / 100:g} or {fraction:g}%" if 1 < fraction <= 100 else "10 % is 0.1 or 10%"
        raise argparse.ArgumentTypeError(f"{text}: must be a fraction above 0, up to 1; {given}")
    return fraction


def two_names(text: str) -> tuple[str, str]:
    """Parse two names separated by a comma."""
    one, comma, other = (part.strip() for part in text.partition(","))
    if not (one and comma and other):
        raise argparse.ArgumentTypeError(f"{text}: must be two trainers, A,B")
    return one, other


def seconds(text: str) -> float:
    """Parse a finite number of seconds above 0."""
    return _positive(text, "seconds")


def count(text: str) -> int:
    """Parse a whole number above 0."""
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number above 0")
    return int(text)


def counts(text: str) -> tuple[int, ...]:
    """Parse whole numbers above 0, separated by commas."""
    return tuple(dict.fromkeys(count(part.strip()) for part in text.split(",")))


def versions(text: str) -> tuple[str, tuple[str, ...]]:
    """Parse NAME=VERSION,... of a package, or of python."""
    name, equals, listed = text.partition("=")
    found = tuple(dict.fromkeys(part.strip() for part in listed.lstrip("=").split(",") if part.strip()))
    if not (name and equals and found):
        raise argparse.ArgumentTypeError(f"{text}: must be NAME=VERSION,..., such as numpy=2.1,2.2")
    return name, found


def minutes(text: str) -> float:
    """Parse a finite number of minutes above 0."""
    return _positive(text, "minutes")


def _positive(text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text}: must be a number of {unit} above 0")
    return number


def variable(text: str) -> tuple[str, str]:
    """Parse NAME=VALUE. Reject the environment variables that set thread counts."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text}: must be NAME=VALUE")
    if name in THREAD_VARIABLES:
        raise argparse.ArgumentTypeError(f"{name}: both contenders must use the same number of threads; give --threads N")
    return name, value
