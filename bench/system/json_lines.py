"""Messages between processes as JSON lines: one object per line."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, BinaryIO


def encode(**content: object) -> bytes:
    """Return a message as a line, without the newline."""
    return json.dumps(content).encode()


def send(stream: BinaryIO, /, **content: object) -> None:
    """Write a message. Ignores a broken pipe: the caller detects the end of the reader in another way."""
    with suppress(OSError):
        stream.write(encode(**content) + b"\n")
        stream.flush()


def parse(line: bytes) -> dict[str, Any] | None:
    """Return the message on a line, or None if the line is not a JSON object."""
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
