"""A runner for a command in a child process, with a callback for each line and a timeout."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from bench.system.child import Child

_POLL = 0.5  # seconds of one wait: on Windows, a signal does not interrupt it
_GRACE = 10.0  # seconds after SIGTERM in which a child may save its work
_TAIL = 20  # lines

Lines = queue.SimpleQueue[bytes | None]


@dataclass(frozen=True)
class Ended:
    """The exit of a command.

    code     exit code, negative for a signal
    stopped  whether it ran into the timeout and got SIGTERM
    tail     the last lines that it printed
    """

    code: int
    stopped: bool
    tail: tuple[str, ...]


def run_lines(command: Sequence[str], *, env: Mapping[str, str], seconds: float, line: Callable[[str], None]) -> Ended:
    """Run the command, call `line` with each line of its stdout and stderr, and return its exit.

    After `seconds`, or if this process is interrupted, send SIGTERM. If the command is still running 10 s later, kill it with all its
    descendants. Raises OSError if the command cannot be started, and any exception that `line` raises.
    """
    lines: Lines = queue.SimpleQueue()
    tail: deque[str] = deque(maxlen=_TAIL)

    def pass_on(text: bytes) -> None:
        decoded = text.decode(errors="replace").rstrip()
        if decoded:
            tail.append(decoded)
        line(decoded)

    with Child(command, env=env, merged=True, ends_with_parent=True) as child:
        reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
        reader.start()
        try:
            _follow(child, lines, time.monotonic() + seconds, pass_on)
            stopped = child.poll() is None
        finally:
            child.terminate(_GRACE)
    reader.join(_GRACE)
    while not lines.empty():
        if text := lines.get():
            pass_on(text)
    return Ended(child.poll() or 0, stopped, tuple(tail))


def _read(output: BinaryIO, lines: Lines) -> None:
    with output:
        for text in output:
            lines.put(text)
    lines.put(None)


def _follow(child: Child, lines: Lines, deadline: float, pass_on: Callable[[bytes], None]) -> None:
    """Call `pass_on` with each line until the child ends or the deadline passes."""
    while (left := deadline - time.monotonic()) > 0 and child.poll() is None:
        try:
            text = lines.get(timeout=min(_POLL, left))
        except queue.Empty:
            continue
        if text is None:
            child.wait(left)
        else:
            pass_on(text)
