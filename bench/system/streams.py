"""Standard output and error whose reader may have had enough, as `head` has: a command's exit code is its answer all the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


@contextmanager
def reader_may_leave(name: str) -> Iterator[None]:
    """Let the reader of `sys.stdout` or `sys.stderr` close it: what is written then is lost, and nothing is raised.

    What else prevents writing, a full disk for one, raises OSError once; the rest is lost too.
    """
    stream = getattr(sys, name)
    outlet = _Outlet(stream)
    setattr(sys, name, outlet)
    try:
        yield
    finally:
        setattr(sys, name, stream)
        with suppress(OSError):
            outlet.flush()


class _Outlet:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, work: Callable[[], object]) -> None:
        try:
            work()
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # or the interpreter would try again, and complain, at its end
            os.close(nowhere)
            if not isinstance(error, BrokenPipeError):
                raise
