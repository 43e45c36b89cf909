"""One command in a process of its own, whose lines are passed on while it runs, and which ends when this process does."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bench
from bench.system import launcher, process_tree

MARK = "\x1e"  # a record separator before a JSON object, as in JSON text sequences (RFC 7464)
_LOOK = 0.5  # seconds after which a wait is renewed: Windows does not interrupt one
_GRACE = 10.0  # seconds in which a process that was told to end may save its rows
_TAIL = 20  # lines


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    code     exit code, negative for a signal
    stopped  whether the time was up and it was told to end
    tail     the last lines that it printed
    """

    code: int
    stopped: bool
    tail: tuple[str, ...]


def event(line: str) -> dict[str, Any] | None:
    """Return the JSON object in a line with a MARK; None for any other line."""
    _, mark, text = line.partition(MARK)
    return dict(json.loads(text)) if mark else None


def run(command: Sequence[str], *, seconds: float, line: Callable[[str], None] = lambda _: None) -> Ended:
    """Run `python COMMAND`, call `line` with each line that it prints, and return how it ended.

    After so many seconds the process is told to end, as it is when this one is interrupted. What it does not finish in _GRACE is lost.
    """
    root = Path(bench.__file__).resolve().parent.parent
    environment = launcher.without_launcher(os.environ)
    if (root / "pyproject.toml").is_file():  # a checkout, which may not be the working directory
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), environment.get("PYTHONPATH"))))
    popen = subprocess.Popen(
        [sys.executable, *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches it through this process only, once
        preexec_fn=process_tree.end_with_parent if sys.platform == "linux" else None,
    )
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(popen, lines), daemon=True)
    tail: deque[str] = deque(maxlen=_TAIL)
    stopped = False

    def passed(text: str) -> None:
        tail.append(text.rstrip())
        line(text.rstrip())

    try:
        reader.start()
        end = time.monotonic() + seconds
        while True:
            try:
                text = lines.get(timeout=min(_LOOK, max(0.0, end - time.monotonic())))
            except queue.Empty:
                if time.monotonic() < end:
                    continue
                stopped = True
                break
            if text is None:
                break
            passed(text)
        if not stopped:
            popen.wait()
    finally:
        _end(popen)
    reader.join(_GRACE)  # a process that it has left behind may keep the pipe open
    while not lines.empty():
        if (text := lines.get()) is not None:
            passed(text)
    return Ended(popen.returncode, stopped, tuple(filter(None, tail)))


def _read(popen: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
    assert popen.stdout
    with popen.stdout as output:
        for text in output:
            lines.put(text)
    lines.put(None)


def _end(popen: subprocess.Popen[str]) -> None:
    """Tell the process to end, and kill it if it does not."""
    try:
        if popen.poll() is None:
            popen.terminate()
            popen.wait(_GRACE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        popen.kill()
        popen.wait()
