"""What an MPI launcher puts into the environment of the processes that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

# MPICH's, Intel's and Microsoft's; Open MPI's; PMIx, which Slurm speaks too.
_RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID")
_SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")
_PREFIXES = ("PMI_", "HYDI_", "MPI_LOCAL", "OMPI_COMM_WORLD_", "PMIX_", "PRTE_")


def rank() -> str:
    """Return the number of this process among the ranks, as the launcher gives it; "0" without a launcher."""
    return next((os.environ[name] for name in _RANK if name in os.environ), "0")


def ranks() -> int:
    """Return the number of ranks that the launcher started, where its environment gives it; 1 without a launcher."""
    return int(next((os.environ[name] for name in _SIZE if os.environ.get(name, "").isdigit()), "1"))


def without_launcher(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the launcher's variables: a process started with it is not a rank of this job."""
    return {name: value for name, value in environment.items() if not name.startswith(_PREFIXES)}
