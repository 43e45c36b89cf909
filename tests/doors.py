"""Open the two doors as a user does: in a process of their own, from the checkout."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# One network small enough for a second: the doors are tested here, not the trainers.
QUICK = ("--workload", "nielsen", "--examples", "400", "--rounds", "3")


def run(*command: str | Path, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=120, **options)


# Hypothesis' plugin would load all of it for its part of the summary, which takes as long as a small case.
BENCH = ("pytest", "bench", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def bench(*options: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """pytest bench --benchmark-only ..."""
    return run(*BENCH, "--benchmark-only", *options, **others)


def command(*arguments: str | Path, **others) -> subprocess.CompletedProcess[str]:
    """python -m bench ..."""
    return run("bench", *arguments, **others)
