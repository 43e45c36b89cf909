"""A random address-space layout that two processes can share.

The addresses of the stack, of the libraries and of everything that is allocated, and the seed of Python's hashes, are random in every
new process, and decide by percents how long the same code takes (T. Mytkowicz et al., "Producing wrong data without doing anything
obviously wrong!", 2009). Two contenders with the same layout differ by their code alone; a new layout for every pair keeps the
comparison from resting on any one of them (C. Curtsinger, E. Berger, "Stabilizer", 2013).
"""

from __future__ import annotations

import random
import shutil
import subprocess
from dataclasses import dataclass, field
from functools import cache

_PAGE = 4096
_LEAST_STACK = 1 << 27  # bytes; Linux lays out no less, whatever the limit


@dataclass(frozen=True)
class MemoryLayout:
    """What a process is started with: a prefix of its command, and environment variables."""

    prefix: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @classmethod
    def random(cls) -> MemoryLayout:
        """Return a new layout. Linux maps libraries below the largest stack that is allowed, so that limit moves them.

        Elsewhere, and in a container that forbids it, only the hashes are fixed, and addresses stay random for each process.
        """
        stack = _LEAST_STACK + _PAGE * random.randrange(4096)
        env = {"PYTHONHASHSEED": str(random.randrange(1, 2**32)), "EPOCHBENCH_LAYOUT": "x" * random.randrange(_PAGE)}
        return cls(_prefix(stack) if _can_fix_addresses() else (), env)


def _prefix(stack: int) -> tuple[str, ...]:
    return "setarch", "-R", "prlimit", f"--stack={stack}"


@cache
def _can_fix_addresses() -> bool:
    """Whether this system lets a process be started so."""
    if not (shutil.which("setarch") and shutil.which("prlimit")):
        return False
    return subprocess.run([*_prefix(_LEAST_STACK), "true"], capture_output=True).returncode == 0
