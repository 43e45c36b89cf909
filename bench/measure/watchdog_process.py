"""Process that outlives a run and reports its crash: `python -m bench.measure.watchdog_process PID`.

Its standard input receives the state of the run, one JSON object per line. `bench.measure.watchdog` is the other end of the pipe.

If the run is killed, crashes or runs out of memory, this process prints the step, the file with the finished rows, and the cases not
reached to standard error. It also stops a step that takes too long. It first sends a signal, which Python code handles. Code outside
Python does not handle it, so this process then kills the run.

    {"doing": "round 3 of 20", "seconds": 30}    the step that starts, and its timeout (null: no timeout)
    {"case": ..., "waiting": [...], "kept": ...}    any of these keys; each replaces its previous value
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from bench.system import json_lines

TICK = 0.5  # seconds between two checks. Messages do not wake this process earlier, because the run is timing epochs
GRACE = 10.0  # maximum seconds from the signal to the end of the step
OVERDUE = getattr(signal, "SIGUSR2", None)  # the signal; not SIGALRM, which pytest-timeout uses. Windows has neither


class RunState:
    """The run's latest messages, and whether its end of the pipe is closed, which happens when the run dies."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {}
        self.step = 0
        self.silent = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        rest = b""
        while block := os.read(0, 1 << 16):
            *lines, rest = (rest + block).split(b"\n")
            for said in filter(None, map(json_lines.parse, lines)):
                self.now.update(said)
                self.step += "doing" in said
            time.sleep(TICK)
        self.silent.set()


def main(pid: int) -> None:
    """Watch the process until it ends, and report its state if it ended unexpectedly."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    state, killed = RunState(), _killed_for_memory()
    step, waited, hung = 0, 0.0, False
    with contextlib.suppress(psutil.Error):
        run = psutil.Process(pid)
        while not state.silent.wait(TICK) and run.status() != psutil.STATUS_ZOMBIE:
            if state.step != step:
                step, waited = state.step, 0.0
            if run.status() != psutil.STATUS_STOPPED:  # a process stopped by Ctrl-Z does not hang
                waited += TICK
            allowed = state.now.get("seconds") or float("inf")
            if waited > allowed + (min(GRACE, allowed) if OVERDUE else 0):
                hung = True
                run.kill()
            elif waited > allowed and OVERDUE:
                run.send_signal(OVERDUE)
    state.silent.wait(2 * TICK)  # the last messages may be unread, and a child of the run may keep the pipe open
    cause = "it hung, ignored the timeout, and had to be killed" if hung else "killed, crashed, or exited"
    if _killed_for_memory() > killed:
        cause = "killed, because the system ran out of memory"
    _report(state.now, cause)


def _report(now: dict[str, Any], cause: str) -> None:
    """Print the state of the run when it ended."""
    at = ", ".join(filter(None, (now.get("case"), now.get("doing"))))
    print(f"\nepochbench: the run ended unexpectedly{f' at {at}' if at else ''}: {cause}", file=sys.stderr)
    print(f"epochbench: finished: {now.get('kept') or 'nothing'}", file=sys.stderr)
    if now.get("waiting"):
        print(f"epochbench: not reached: {', '.join(now['waiting'])}", file=sys.stderr)


def _killed_for_memory() -> int:
    """Return the number of processes that Linux has killed to free memory since boot; 0 on other systems."""
    with contextlib.suppress(OSError):
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
        return int(counts.get("oom_kill", 0))
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
