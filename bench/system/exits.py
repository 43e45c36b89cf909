"""The end of the process if threads that others have left would keep it alive."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress


def exit_without_waiting(code: int) -> None:
    """End the process with this exit code now if a thread besides the main one would keep it alive; otherwise return."""
    if not [thread for thread in threading.enumerate() if thread is not threading.main_thread() and not thread.daemon]:
        return
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
