"""A run of the bench in a process of its own, to be interrupted or looked at while it goes on."""

import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench import records
from tests.support.commands import BENCH, QUICK, ROOT, processor_of_ones_own

WRONG = "tests.support.wrong_trainers"

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no signals to interrupt with")


@contextmanager
def started(*options, **others):
    """A run under way. At the end it is none any more."""
    command = [sys.executable, "-m", *BENCH, "--benchmark-only", *QUICK, "--no-charts", *map(str, options)]
    with processor_of_ones_own(command):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **others)
    with process:
        try:
            yield process
        finally:
            process.kill()


def trainers_in(directory):
    """The trainers in the one file that a run has left there, round by round."""
    (csv,) = directory.iterdir()
    return records.read([csv])["trainer"].tolist()
