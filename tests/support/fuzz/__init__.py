"""Fuzzing of all code that reads untrusted input: `python -m tests.support.fuzz [TARGET ...] --inputs 100000`.

An input is a valid file or command line with a few changes, so that it passes the first check. A target returns whether the code accepted
the input or refused it with a documented error, and raises on any other outcome. It also checks the meaning of an accepted input.
"""

from __future__ import annotations

import faulthandler
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.support.fuzz.answers import charts, report, tables, tell
from tests.support.fuzz.csv_files import csv_files, csv_reader
from tests.support.fuzz.idx import dataset, directories, idx, idx_files
from tests.support.fuzz.options import command_lines, options

_TIMEOUT = 600  # seconds per input; the slowest valid input takes ten on an idle machine
_BATCH = 1000  # inputs per Hypothesis run, which keeps them in memory


@dataclass(frozen=True)
class Target:
    """A fuzz target.

    inputs  strategy that draws its inputs
    feed    feeds an input to the code, and returns whether the code accepted it
    share   its part of all inputs; small for the targets that draw charts, which are slow
    """

    inputs: st.SearchStrategy[Any]
    feed: Callable[[Any, Path], bool]
    share: float


TARGETS = {
    "idx": Target(idx_files(), idx, 0.3),
    "dataset": Target(directories, dataset, 0.1),
    "csv": Target(csv_files(), csv_reader, 0.3),
    "options": Target(command_lines, options, 0.2785),
    "tell": Target(tables(), tell, 0.02),
    "report": Target(tables(), report, 0.001),
    "charts": Target(tables(), charts, 0.0005),
}


@dataclass
class Tally:
    """Counts and times of a target's inputs."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused


def run(target: Target, *, inputs: int, first_seed: int = 0) -> Tally:
    """Feed a target `inputs` inputs. If one raises, Hypothesis shrinks it, and the exception of the smallest is raised."""
    tally = Tally()

    def feed(drawn: Any) -> None:
        faulthandler.dump_traceback_later(_TIMEOUT, exit=True)
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # matplotlib warns of letters that its font lacks; the targets check numbers themselves
            if target.feed(drawn, Path(directory)):
                tally.accepted += 1
            else:
                tally.refused += 1
        tally.slowest = max(tally.slowest, time.perf_counter() - begin)

    began = time.perf_counter()
    number = first_seed
    try:
        while tally.inputs < inputs:
            configured = settings(
                max_examples=min(inputs - tally.inputs, _BATCH), deadline=None, database=None, suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
            )  # fmt: skip
            seed(number)(configured(given(target.inputs)(feed)))()
            number += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    tally.seconds = time.perf_counter() - began
    return tally
