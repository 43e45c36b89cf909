"""Hostile input for everything that reads other people's files: `python -m tests.support.fuzz [TARGET ...] --inputs 100000`.

An input is a valid file or command line with a few things changed, so that it gets past the first check. A target says whether
it was accepted or refused in a declared way, and raises whatever else happens; what is accepted must mean what it says.
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

_PATIENCE = 600  # seconds after which an input is said to hang; the slowest honest one takes ten on a machine that is free
_BATCH = 1000  # inputs that hypothesis keeps in mind at a time


@dataclass(frozen=True)
class Target:
    """Something to feed, with what. `share` of all inputs is its part: what draws charts is slow."""

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
    """What became of a target's inputs."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    slowest: float = 0.0

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused


def run(target: Target, *, inputs: int, first_seed: int = 0) -> Tally:
    """Feed a target so many inputs; raises what one of them raises, with the smallest that does."""
    tally = Tally()

    def feed(drawn: Any) -> None:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as directory, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a font that lacks a letter; numbers have their own checks
            if target.feed(drawn, Path(directory)):
                tally.accepted += 1
            else:
                tally.refused += 1
        tally.slowest = max(tally.slowest, time.perf_counter() - begin)

    began = time.perf_counter()
    number = first_seed
    try:
        while tally.inputs < inputs:
            held = settings(
                max_examples=min(inputs - tally.inputs, _BATCH), deadline=None, database=None, suppress_health_check=list(HealthCheck),
                phases=(Phase.generate, Phase.shrink),
            )  # fmt: skip
            seed(number)(held(given(target.inputs)(feed)))()
            number += 1
    finally:
        faulthandler.cancel_dump_traceback_later()
    tally.seconds = time.perf_counter() - began
    return tally
