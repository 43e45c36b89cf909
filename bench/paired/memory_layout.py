"""A random address-space layout that two processes can share.

Every new process has random addresses for stack, libraries and heap, and a random seed for Python's hashes. They change the run time of
the same code by several percent (T. Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!", 2009). Two
contenders with the same layout differ by their code alone. Every pair gets a new layout, so that the comparison does not depend on one
layout (C. Curtsinger, E. Berger, "Stabilizer", 2013).
"""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache

_PAGE = 4096
_LEAST_STACK = 1 << 27  # bytes; Linux reserves at least this, whatever the limit


@dataclass(frozen=True)
class MemoryLayout:
    """A command prefix and environment variables that give a process its layout."""

    prefix: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def random(cls) -> MemoryLayout:
        """Return a new layout. Linux maps libraries below the stack's maximum size, so the stack limit moves them.

        On other systems, and in containers that forbid `setarch -R`, only the hash seed is shared; addresses stay random per process.
        """
        stack = _LEAST_STACK + _PAGE * random.randrange(4096)
        env = {"PYTHONHASHSEED": str(random.randrange(1, 2**32)), "EPOCHBENCH_LAYOUT": "x" * random.randrange(_PAGE)}
        return cls(_prefix(stack) if _can_fix_addresses() else (), env)


def _prefix(stack: int) -> tuple[str, ...]:
    return "setarch", "-R", "prlimit", f"--stack={stack}"


@cache
def _can_fix_addresses() -> bool:
    """Return whether this system can start a process with that prefix."""
    if not (shutil.which("setarch") and shutil.which("prlimit")):
        return False
    return subprocess.run([*_prefix(_LEAST_STACK), "true"], capture_output=True).returncode == 0
