"""What Linux can do about processes that outlive the one that started them. Elsewhere nothing: they may."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Sequence

# Of prctl's options, from <linux/prctl.h>.
_PDEATHSIG = 1
_CHILD_SUBREAPER = 36


def end_with_parent() -> None:
    """Have this process killed when the one that started it ends, even while it is stopped."""
    _prctl(_PDEATHSIG, signal.SIGKILL)


def ending_with_parent(command: Sequence[str]) -> list[str]:
    """Return the command in a form that Linux kills when the process that starts it ends, even by SIGKILL.

    It is started by way of a Python that asks for this and then becomes the command. subprocess could ask in a forked child, but a fork is
    unsafe in a process with threads, and JAX warns of it.
    """
    if sys.platform != "linux":
        return list(command)
    ask = f"import ctypes, os, sys; ctypes.CDLL(None).prctl({_PDEATHSIG}, {int(signal.SIGKILL)}, 0, 0, 0)"
    return [sys.executable, "-I", "-S", "-c", f"{ask}; os.execvp(sys.argv[1], sys.argv[1:])", *command]


def adopt() -> None:
    """Make this process the parent of its descendants whose own parents have ended."""
    _prctl(_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
