"""Run the commands as a user does: in a process of their own, from the checkout."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

from tests.support.few_digits import FEW_DIGITS

ROOT = Path(__file__).resolve().parents[2]

# One network small enough for a second: the doors are tested here, not the trainers.
QUICK = ("--workload", "nielsen", "--examples", "400", "--rounds", "3", "--data", str(FEW_DIGITS))


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


worker = 0
"""The number of this test process among those of pytest-xdist."""


@contextmanager
def processor_of_ones_own(command: Sequence[str | Path]) -> Iterator[None]:
    """Start a command with `--threads 1` in here: it pins itself to its first processor, which must not be every test process's first."""
    if not hasattr(os, "sched_setaffinity") or ("--threads", "1") not in pairwise(map(str, command)):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[worker % len(before)]})  # of this thread, and of what it starts
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def launcher() -> str | None:
    """The mpiexec beside the interpreter, or else the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def mpiexec(ranks: int = 0, *command: str | Path, line: Sequence[str] = (), env=(), **options) -> subprocess.CompletedProcess[str]:
    """mpiexec -n RANKS python COMMAND (or the line), of whichever MPI is here, also where it has fewer processors, and for root."""
    line = line or [str(launcher()), "-n", str(ranks), sys.executable, *map(str, command)]
    environment = {**os.environ, **OPEN_MPI, "PYTHONPATH": str(ROOT), **dict(env)}
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment, **options)


OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}

# Hypothesis' plugin would load all of it for its part of the summary, which takes as long as a small case.
BENCH = ("pytest", "bench", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def bench(*options: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """pytest bench --benchmark-only ..."""
    return run(*BENCH, "--benchmark-only", *options, **others)


def command(*arguments: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """python -m bench ..."""
    return run("bench", *arguments, **others)
