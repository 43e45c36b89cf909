"""What Linux can do about processes that outlive the one that started them. Elsewhere nothing: they may."""

from __future__ import annotations

import ctypes
import signal
import sys

# Of prctl's options, from <linux/prctl.h>.
_PDEATHSIG = 1
_CHILD_SUBREAPER = 36


def end_with_parent() -> None:
    """Have this process killed when the one that started it ends, even while it is stopped."""
    _prctl(_PDEATHSIG, signal.SIGKILL)


def adopt() -> None:
    """Make this process the parent of its descendants whose own parents have ended."""
    _prctl(_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
