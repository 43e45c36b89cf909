"""The process that outlives a run: `python -m bench.measure.watchdog_process PID`.

Its standard input says what the run is doing, a JSON object a line.

A process that is killed, crashes or runs out of memory can say nothing. This one then says on standard error what was being done,
where the finished rows are, and what was not reached; and it ends a step that takes too long: by a signal that Python code hears,
then, as code that is not Python hears none, by killing the process. `bench.measure.watchdog` is the other end.

    {"doing": "round 3 of 20", "seconds": 30}    the step that begins, and how long it may take (null: as long as it likes)
    {"case": ..., "waiting": [...], "kept": ...}    any of them: what was said of it before is no longer true
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

TICK = 0.5  # seconds between two looks. Messages do not wake it more often: the run's epochs are being timed
GRACE = 10.0  # seconds at most in which a step must end after the signal


class RunState:
    """The run's last messages, and whether its end of the pipe is closed, as it is when the run dies."""

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
    """Watch the process until it ends, and report how it stood if it ended without a word."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    state, killed = RunState(), _killed_for_memory()
    step, waited, hung = 0, 0.0, False
    with contextlib.suppress(psutil.Error):
        run = psutil.Process(pid)
        while not state.silent.wait(TICK) and run.status() != psutil.STATUS_ZOMBIE:
            if state.step != step:
                step, waited = state.step, 0.0
            if run.status() != psutil.STATUS_STOPPED:  # by Ctrl-Z: that is no hang
                waited += TICK
            allowed = state.now.get("seconds") or float("inf")
            if waited > allowed + (min(GRACE, allowed) if hasattr(signal, "SIGALRM") else 0):
                hung = True
                run.kill()
            elif waited > allowed:
                run.send_signal(signal.SIGALRM)
    state.silent.wait(2 * TICK)  # what was said last may not be read yet; a child that it has left may keep the pipe open
    cause = "it hung in code that is not Python's and could only be killed" if hung else "killed, crashed, or made to exit"
    if _killed_for_memory() > killed:
        cause = "killed, as the system ran out of memory"
    _report(state.now, cause)


def _report(now: dict[str, Any], cause: str) -> None:
    """Say how the run stood when it ended."""
    at = ", ".join(filter(None, (now.get("case"), now.get("doing"))))
    print(f"\nepochbench: the run ended without a word{f' at {at}' if at else ''}: {cause}", file=sys.stderr)
    print(f"epochbench: finished: {now.get('kept') or 'nothing'}", file=sys.stderr)
    if now.get("waiting"):
        print(f"epochbench: not reached: {', '.join(now['waiting'])}", file=sys.stderr)


def _killed_for_memory() -> int:
    """Return how many processes Linux has killed to free memory since it was started; elsewhere 0."""
    with contextlib.suppress(OSError):
        counts = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
        return int(counts.get("oom_kill", 0))
    return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
