"""Ranks, started with the installed mpiexec, as a user starts them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from impls import unavailable
from tests.support.commands import ROOT

OPEN_MPI = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}


def launcher() -> str | None:
    """Return the path of the mpiexec beside the interpreter, else of the one on PATH, else None."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(
    bool(unavailable("mpi")) or not launcher(), reason=unavailable("mpi") or "mpiexec: not found; pip install '.[mpi]'"
)


def mpiexec(ranks: int = 0, *command: str | Path, line: Sequence[str] = (), env=(), **options) -> subprocess.CompletedProcess[str]:
    """Run mpiexec -n RANKS python COMMAND, or `line`. The environment lets Open MPI oversubscribe processors and run as root."""
    line = line or [str(launcher()), "-n", str(ranks), sys.executable, *map(str, command)]
    environment = {**os.environ, **OPEN_MPI, "PYTHONPATH": str(ROOT), **dict(env)}
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment, **options)
