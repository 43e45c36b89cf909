"""Ranks, started as a user starts them: by the mpiexec that is here."""

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
    """The mpiexec beside the interpreter, or else the system's."""
    beside = Path(sys.executable).with_name("mpiexec")
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(bool(unavailable("mpi")) or not launcher(), reason=unavailable("mpi") or "no mpiexec: pip install '.[mpi]'")


def mpiexec(ranks: int = 0, *command: str | Path, line: Sequence[str] = (), env=(), **options) -> subprocess.CompletedProcess[str]:
    """mpiexec -n RANKS python COMMAND (or the line), of whichever MPI is here, also where it has fewer processors, and for root."""
    line = line or [str(launcher()), "-n", str(ranks), sys.executable, *map(str, command)]
    environment = {**os.environ, **OPEN_MPI, "PYTHONPATH": str(ROOT), **dict(env)}
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment, **options)
