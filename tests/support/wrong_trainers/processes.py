"""Trainers that end their process, hang, print or start processes. Run them in a separate process."""

import atexit
import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path

from impls.loop import Loop
from impls.matrix import Matrix
from tests.support.wrong_trainers.timing import timed


class ExitsInCWhileTimed(Matrix):
    def _epoch(self, order):
        if timed(self):
            ctypes.CDLL(None)._exit(7)
        super()._epoch(order)


class ExitsWithAMessage(Matrix):
    def _epoch(self, order):
        print("out of something", file=sys.stderr)
        os._exit(7)


class Killed(Matrix):
    def _epoch(self, order):
        os.kill(os.getpid(), signal.SIGKILL)


class Crashes(Matrix):
    def _epoch(self, order):
        if timed(self):
            ctypes.string_at(0)
        super()._epoch(order)


class Hangs(Matrix):
    def _epoch(self, order):
        time.sleep(1000)


class HangsWhileTimed(Matrix):
    """Creates the file that the environment variable HANGING names, and hangs."""

    def _epoch(self, order):
        if timed(self) and "HANGING" in os.environ:
            Path(os.environ["HANGING"]).touch()
        while timed(self):
            with suppress(Exception):  # as in a careless retry loop
                time.sleep(0.1)
        super()._epoch(order)


class HangsInC(Matrix):
    def _epoch(self, order):
        if timed(self):
            libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)  # PyDLL keeps the GIL, as a hanging C extension does
            libc.pthread_mutex_init(mutex, None)
            for _ in range(2):
                libc.pthread_mutex_lock(mutex)  # the second call is a deadlock that no Python signal handler can interrupt
        super()._epoch(order)


# Trainers that print, wait for a file, or start processes


class WaitsForAFile(Matrix):
    """Waits for the file that the environment variable WAITS_FOR names."""

    def _setup(self, data):
        while not Path(os.environ["WAITS_FOR"]).exists():
            time.sleep(0.01)
        super()._setup(data)


class Warns(Matrix):  # as libraries do
    @classmethod
    def unavailable(cls):
        warnings.warn("the driver is old", stacklevel=1)

    def _epoch(self, order):
        warnings.warn("and slow", stacklevel=1)
        super()._epoch(order)


class Absent(Loop):
    @classmethod
    def unavailable(cls):
        return "gone fishing"


class Chatty(Matrix):
    def _epoch(self, order):
        print("an epoch!")
        os.write(1, b"{}\n")
        super()._epoch(order)


class TalksNonsense(Matrix):
    """Writes to every open file, including the pipe to its parent."""

    def _epoch(self, order):
        for number in range(3, 30):
            with suppress(OSError):
                os.write(number, b"Traceback of something\n")


SLEEP = [sys.executable, "-c", "import time; time.sleep(1000)"]


class Parent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        self.child = subprocess.Popen(SLEEP, start_new_session=True)


class Grandparent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        subprocess.run([sys.executable, "-c", f"import subprocess; subprocess.Popen({SLEEP!r}, start_new_session=True)"], check=True)


class LateParent(Matrix):
    def _setup(self, data):
        super()._setup(data)
        atexit.register(subprocess.Popen, SLEEP, start_new_session=True)


class CrashingParent(Parent):
    def _epoch(self, order):
        os._exit(3)
