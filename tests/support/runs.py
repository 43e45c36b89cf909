"""A run in a new process, which a test can interrupt or inspect while it runs."""

import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench import records
from tests.support.commands import BENCH, QUICK, ROOT, own_processor

WRONG = "tests.support.wrong_trainers"

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to interrupt a process")


@contextmanager
def started(*options, **others):
    """Start a run and yield its process. Kill it at the end."""
    command = [sys.executable, "-m", *BENCH, "--benchmark-only", *QUICK, "--no-charts", *map(str, options)]
    with own_processor(command):
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **others)
    with process:
        try:
            yield process
        finally:
            process.kill()


def trainers_in(directory):
    """Return the trainer of each row of the only file in the directory, which a run has written."""
    (csv,) = directory.iterdir()
    return records.read([csv])["trainer"].tolist()
