"""Standard streams that are closed, as in `bench ... >&-`, or break, as in `bench ... | head`: the exit code does not change."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO


def reopen_closed() -> None:
    """Connect closed standard streams to the null device. Otherwise the next file that is opened would take their place.

    Processes that this one starts inherit them.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 (it stays open)


@contextmanager
def reader_may_leave(name: str) -> Iterator[None]:
    """Ignore a broken pipe on `sys.stdout` or `sys.stderr` (`name`): discard all later output.

    Any other write error, such as a full disk, raises OSError once. Later output is discarded too.
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
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, self._stream.fileno())  # else the interpreter flushes again at exit and prints an error
            os.close(devnull)
            if not isinstance(error, BrokenPipeError):
                raise
