"""Streams and graphs of the stand-in for CuPy: they do their work late."""

import time
import types
from collections.abc import Callable
from typing import ClassVar, NamedTuple


class Work(NamedTuple):
    """What a stream is to do. A kernel is called with whether the next work is its dependent, which may begin before it has ended."""

    do: Callable
    kernel: bool = False
    dependent: bool = False


class Stream:
    """Does what it was given when somebody waits for it, and not before."""

    ptr = 0
    stack: ClassVar[list["Stream"]] = []  # that of a `with` is current; none: the null stream

    def __init__(self, non_blocking=False, priority=0):
        self.queue, self.captured = [], None

    def __enter__(self):
        Stream.stack.append(self)
        return self

    def __exit__(self, *_):
        Stream.stack.pop()

    def begin_capture(self):
        self.captured = []

    def end_capture(self):
        works, self.captured = self.captured, None
        first = Work(lambda: None)  # a graph begins when all that was launched before it has ended
        return types.SimpleNamespace(launch=lambda: [start(*work) for work in (first, *works)], upload=lambda: None)

    def give(self, work):
        """Take work, to be done later."""
        (self.queue if self.captured is None else self.captured).append(work)

    def wait_event(self, event):
        """What follows here happens after the event: the other stream does its work until then first."""
        self.give(Work(event.synchronize))

    def synchronize(self, until=lambda: False):
        """Do the work, or as much of it as is needed for a condition."""
        assert self.captured is None
        begun = []  # kept, because a kernel with a dependent may go on, and its arguments with it
        while self.queue and not until():
            begun.append(work := self.queue.pop(0))
            followed = bool(self.queue) and self.queue[0].dependent
            work.do(followed) if work.kernel else work.do()


class Eager(Stream):
    """Does what it was given at once."""

    def give(self, work):
        super().give(work)
        self.synchronize()


class Event:
    """The moment at which a stream reaches it. Recorded again, it is another one."""

    def __init__(self, disable_timing=False):
        self._recorded = self._happened = 0

    def record(self, stream):
        self._stream, self._recorded = stream, self._recorded + 1
        stream.give(Work(self._happen))

    def _happen(self):
        self._happened, self.seconds = self._happened + 1, time.perf_counter()

    def synchronize(self):
        self._stream.synchronize(until=lambda: self._happened == self._recorded)


NULL = Stream()


def current():
    return Stream.stack[-1] if Stream.stack else NULL


def start(do, kernel=False, dependent=False):
    """Give work to the current stream."""
    current().give(Work(do, kernel, dependent))
