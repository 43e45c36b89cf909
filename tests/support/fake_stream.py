"""Streams and graphs of the stand-in for CuPy: they do their work late."""

import types
from collections.abc import Callable
from itertools import pairwise
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

    def wait_event(self, event):
        """What follows here happens after the event: the other stream does its work until then first."""
        with self:
            start(event.synchronize)

    def synchronize(self):
        assert self.captured is None
        works, self.queue = self.queue, []
        for work, following in pairwise((*works, Work(None))):
            work.do(following.dependent) if work.kernel else work.do()


NULL = Stream()


def current():
    return Stream.stack[-1] if Stream.stack else NULL


def start(do, kernel=False, dependent=False):
    """Give work to the current stream."""
    stream = current()
    (stream.queue if stream.captured is None else stream.captured).append(Work(do, kernel, dependent))
