"""Python command in a child process, and the events in its output."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bench.system import json_lines, own_code
from bench.system.launcher import without_launcher
from bench.system.line_runner import Ended, run_lines

_MARK = "\x1e"  # a record separator before a JSON object, as in JSON text sequences (RFC 7464)


def run(command: Sequence[str], *, seconds: float, line: Callable[[str], None]) -> Ended:
    """Run `python COMMAND` with this suite's code, call `line` with each line of its output, and return how it ended.

    seconds: timeout, after which the process is asked to end
    """
    environment = own_code.environment(without_launcher(os.environ))
    return run_lines([sys.executable, *command], env=environment, seconds=seconds, line=line)


def event_line(**content: object) -> str:
    """Return the line that reports an event to the parent process."""
    return _MARK + json_lines.encode(**content).decode()


def parse_event(line: str) -> dict[str, Any] | None:
    """Return the event on a line, or None if the line is not an event."""
    _, mark, text = line.partition(_MARK)
    return json_lines.parse(text.encode()) if mark else None
