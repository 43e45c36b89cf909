"""Environment variables that an MPI launcher sets for its ranks."""

from __future__ import annotations

import os
from collections.abc import Mapping

# PMI: MPICH, Intel MPI, Microsoft MPI. OMPI: Open MPI. PMIX: PMIx, which Slurm supports too.
_RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_PREFIXES = ("PMI_", "HYDI_", "MPI_LOCAL", "OMPI_COMM_WORLD_", "PMIX_", "PRTE_")


def rank() -> str:
    """Return the rank of this process from the launcher's environment; "0" without a launcher."""
    return next((os.environ[name] for name in _RANK if name in os.environ), "0")


def ranks() -> int:
    """Return the number of ranks from the launcher's environment; 1 if it is not set."""
    return int(next((os.environ[name] for name in _SIZE if os.environ.get(name, "").isdigit()), "1"))


def without_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the launcher's variables. A process started with it is not a rank of this job."""
    return {name: value for name, value in environment.items() if not name.startswith(_PREFIXES)}
