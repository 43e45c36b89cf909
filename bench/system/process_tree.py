"""Process-tree control through prctl. On systems other than Linux these functions have no effect."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

# Options of prctl, from <linux/prctl.h>.
_PDEATHSIG = 1
_CHILD_SUBREAPER = 36


def end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, even if this process is stopped (SIGSTOP)."""
    _prctl(_PDEATHSIG, signal.SIGKILL)


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return a command that Linux kills when its parent ends, even by SIGKILL.

    The command starts a Python that calls prctl and then replaces itself with the given command (exec). The alternative, subprocess with
    preexec_fn, forks: that is unsafe in a process with threads, and JAX warns about it.
    """
    if sys.platform != "linux":
        return list(command)
    prctl = f"import ctypes, os, sys; ctypes.CDLL(None).prctl({_PDEATHSIG}, {int(signal.SIGKILL)}, 0, 0, 0)"
    return [sys.executable, "-I", "-S", "-c", f"{prctl}; os.execvp(sys.argv[1], sys.argv[1:])", *command]


def adopt() -> None:
    """Make this process the subreaper: the new parent of its descendants whose own parents end."""
    _prctl(_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a system may not let Python load its C library
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
