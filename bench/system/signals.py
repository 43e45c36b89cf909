"""Signals that end a command, as an exception that cleans up on its way out.

`python -m bench` listens, and catches `Stopped`, in bench/__main__.py; `pytest bench` handles signals in bench/conftest.py.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(BaseException):
    """Ctrl-C or a termination signal: raised wherever the program is, so that it cleans up on its way out."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def listen() -> None:
    """Have `Stopped` raised by the first signal to end this process; later ones are ignored, for they would break the cleaning up."""

    def stop(number: int, _: object) -> None:
        for again in _NAMES:
            if hasattr(signal, again):
                signal.signal(getattr(signal, again), signal.SIG_IGN)
        raise Stopped(number)

    catch(stop, *_NAMES)


def catch(stop: Callable[[int, FrameType | None], None], *names: str) -> Callable[[], None]:
    """Have the signals of those names handled where the system knows them, and return what puts back the handlers there were.

    One that is ignored stays so, as nohup has it; but for Ctrl-C, which a shell has ignored by whatever it starts in the background.
    """
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    heard = [number for number in numbers if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore
