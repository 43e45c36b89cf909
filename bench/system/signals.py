"""Termination signals as an exception, so that a command cleans up before it exits.

`python -m bench` calls `listen` and catches `Stopped` in bench/__main__.py. `pytest bench` handles signals in bench/conftest.py.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(BaseException):
    """Ctrl-C or a termination signal, raised in the code that is running, so that its cleanup runs."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def listen() -> None:
    """Raise `Stopped` at the first termination signal. Ignore later signals, which would interrupt the cleanup."""

    def stop(number: int, _: object) -> None:
        for again in _NAMES:
            if hasattr(signal, again):
                signal.signal(getattr(signal, again), signal.SIG_IGN)
        raise Stopped(number)

    catch(stop, *_NAMES)


def catch(stop: Callable[[int, FrameType | None], None], *names: str) -> Callable[[], None]:
    """Install `stop` as the handler of the named signals that the system has. Return a function that restores the old handlers.

    A signal that is ignored stays ignored, as nohup requires. The exception is SIGINT: a shell starts its background jobs with SIGINT
    ignored.
    """
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    handled = [number for number in numbers if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in handled}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


@contextmanager
def postponed(*names: str) -> Iterator[None]:
    """Postpone the named signals until the end of the block. A handler may raise an exception in any line, which some code must not see.

    Only the main thread can do that; in another thread, there is no effect, and handlers do not run there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    restore = catch(lambda number, _: arrived.append(number), *names)
    try:
        yield
    finally:
        restore()
        for number in arrived:
            signal.raise_signal(number)
