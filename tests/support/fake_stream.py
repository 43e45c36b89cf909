"""Streams, events and graphs of the stand-in for CuPy. They are asynchronous: they run their work late."""

import time
import types
from collections.abc import Callable
from typing import ClassVar, NamedTuple


class Work(NamedTuple):
    """An item of a stream's queue.

    do         the function to call. A kernel gets one argument: whether the next item is its dependent
    kernel     whether the item is a kernel
    dependent  whether the item may begin before the kernel in front of it has ended
    """

    do: Callable
    kernel: bool = False
    dependent: bool = False


class Stream:
    """A stream that runs its queue only when the program waits for it."""

    ptr = 0
    stack: ClassVar[list["Stream"]] = []  # streams of the open `with` blocks; the last is current; if empty, the null stream is

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
        first = Work(lambda: None)  # not dependent: a graph begins after all earlier work has ended
        return types.SimpleNamespace(launch=lambda: [start(*work) for work in (first, *works)], upload=lambda: None)

    def give(self, work):
        """Append work to the queue, or to the graph during a capture."""
        (self.queue if self.captured is None else self.captured).append(work)

    def wait_event(self, event):
        """Run later work of this stream after the event. Waiting for the event runs the other stream's work up to it."""
        self.give(Work(event.synchronize))

    def synchronize(self, until=lambda: False):
        """Run the queue until it is empty or the condition holds."""
        assert self.captured is None
        begun = []  # keeps the arguments alive: a kernel with a dependent may still be running
        while self.queue and not until():
            begun.append(work := self.queue.pop(0))
            followed = bool(self.queue) and self.queue[0].dependent
            work.do(followed) if work.kernel else work.do()


class Eager(Stream):
    """A stream that runs its work at once."""

    def give(self, work):
        super().give(work)
        self.synchronize()


class Event:
    """An event, which happens when its stream reaches it. A second `record` makes it a new event."""

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
    """Append work to the current stream."""
    current().give(Work(do, kernel, dependent))
