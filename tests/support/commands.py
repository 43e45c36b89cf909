"""Functions that run the commands as a user does: in a new process, from the checkout."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count, pairwise
from pathlib import Path

from tests.support.few_digits import FEW_DIGITS

ROOT = Path(__file__).resolve().parents[2]

# A small network that trains in a second: these tests check the commands, not the trainers.
JOB = ("--workload", "nielsen", "--examples", "400", "--rounds", "3", "--threads", "1", "--data", str(FEW_DIGITS))
QUICK = (*JOB, "--warm-up", "0")


def run(*command: str | Path, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    with own_processor(command):
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
"""Numbers of the next processors. Each worker of pytest-xdist begins with a different one."""


@contextmanager
def own_processor(command: Sequence[str | Path]) -> Iterator[None]:
    """Set the CPU affinity to one processor while a command with `--threads 1` starts.

    The command pins itself to its first allowed processor. Without this, all commands of all workers would use the same one.
    """
    if not hasattr(os, "sched_setaffinity") or ("--threads", "1") not in pairwise(map(str, command)):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[next(turns) % len(before)]})  # for this thread and the processes that it starts
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def installed(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command, which does not have the current directory on its path."""
    program = "import sys; sys.path.remove(''); sys.path.append(sys.argv.pop(1)); from bench.__main__ import main; sys.exit(main())"
    command = [sys.executable, "-c", program, str(ROOT), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


BENCH = ("pytest", "bench", "-p", "no:cacheprovider")


def bench(*options: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """Run pytest bench --benchmark-only ..."""
    return run(*BENCH, "--benchmark-only", *options, **others)


def command(*arguments: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """Run python -m bench ..."""
    return run("bench", *arguments, **others)
