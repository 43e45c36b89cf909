"""`epochbench run`: time the trainers, from any directory."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import bench
from bench.commands.arguments import Commands

_HERE = Path(bench.__file__).parent


def add_parser(commands: Commands) -> None:
    """Declare the command. All its arguments go to pytest, which also prints its help."""
    helped = "time the trainers; takes the options of pytest bench, and of pytest"
    parser = commands.add_parser("run", help=helped, prefix_chars="\0", add_help=False)  # so that this parser has no options
    parser.add_argument("arguments", nargs="*")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Replace this process by pytest; on Windows, wait for it and return its exit code."""
    command = [sys.executable, *timing_run(given.arguments)]
    if os.name != "nt":
        sys.stdout.flush()
        os.execv(sys.executable, command)
    return subprocess.run(command, check=False).returncode


def timing_run(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of Python that time the trainers. arguments: of pytest"""
    # -P: a ./bench or ./impls of the user must not take the place of these packages. bench/conftest.py adds the current directory later.
    options = ("-c", _HERE / "run.ini", "--rootdir", _HERE.parent)
    return ["-P", "-m", "pytest", *map(str, options), str(_HERE / "test_epoch.py"), *arguments]
