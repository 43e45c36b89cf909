"""Run the commands as a user does: in a process of their own, from the checkout."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path

from tests.support.few_digits import FEW_DIGITS

ROOT = Path(__file__).resolve().parents[2]

# One network small enough for a second: the doors are tested here, not the trainers.
JOB = ("--workload", "nielsen", "--examples", "400", "--rounds", "3", "--threads", "1", "--data", str(FEW_DIGITS))
QUICK = (*JOB, "--warm-up", "0")


def run(*command: str | Path, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    with processor_of_ones_own(command):
        process = subprocess.Popen(
            [sys.executable, "-m", *map(str, command)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
    with process:
        try:
            output, errors = process.communicate(timeout=120)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(process.args, process.returncode, output, errors)


turns = count(int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")))
"""Which processor is next: each test process of pytest-xdist begins with another one, and then takes them in turn."""


@contextmanager
def processor_of_ones_own(command: Sequence[str | Path]) -> Iterator[None]:
    """Start a command with `--threads 1` in here: it pins itself to its first processor, which must not be every test process's first."""
    if not hasattr(os, "sched_setaffinity") or ("--threads", "1") not in pairwise(map(str, command)):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[next(turns) % len(before)]})  # of this thread, and of what it starts
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


BENCH = ("pytest", "bench", "-p", "no:cacheprovider")


def bench(*options: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """pytest bench --benchmark-only ..."""
    return run(*BENCH, "--benchmark-only", *options, **others)


def command(*arguments: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """python -m bench ..."""
    return run("bench", *arguments, **others)
