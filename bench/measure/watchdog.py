"""Watchdog of a run: step timeouts, and a second process that reports a crash of the run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO, NoReturn, cast

from bench.machine.roofline import epoch_work
from bench.measure.case import Case
from bench.measure.run import Run
from bench.measure.watchdog_process import OVERDUE
from bench.system import json_lines, own_code
from bench.system.progress import progress
from bench.text.numbers import counted, plain

# A first epoch may load a library and compile. It may also run in plain Python without arrays, at 10 million operations per second.
_LOADING = 120.0
_SLOWEST = 1e7
# The timeout of a later epoch is this multiple of the slowest one so far, but at least _BUSY, because the machine may be busy.
_TIMES = 20
_BUSY = 30.0


class BrokenOffError(Exception):
    """A case was stopped because its trainer hangs or exits the interpreter. The message says which."""


class _Overdue(BaseException):
    """Raised in the step that timed out, with its line of code. Not an Exception, because a trainer may catch those and continue."""


class Watchdog:
    """Watches the cases of a run, one after the other. As a context manager, it stops watching on exit.

    Sends each step to a second process, `bench.measure.watchdog_process`. If the run dies, that process reports where. If a step takes
    too long, it sends a signal. Windows lacks this signal, so there it kills the run instead.
    The process is not a `system.child.Child`: a Child ends with its parent, and its output is captured. This one outlives the run and
    writes to the run's standard error.
    """

    def __init__(self, run: Run) -> None:
        """Start the second process, which shares this process's standard error."""
        self._run = run
        self._began, self._seconds = 0.0, float("inf")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.measure.watchdog_process", str(os.getpid())],  # -P: ignore ./bench
                env=own_code.environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # Ctrl-C and other signals to this process group must not end it
            )
        except OSError as error:
            run.warnings.append(f"watchdog: cannot start its process ({error.strerror}); hangs and kills will go unreported")
        self._tell(waiting=[case.title for case in run.cases])

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching."""
        if self._process is not None:
            self._process.kill()  # otherwise it would report the normal end as a crash
            self._process.wait()
            assert self._process.stdin
            self._process.stdin.close()

    @contextmanager
    def supervise(self, case: Case) -> Iterator[Callable[..., None]]:
        """Watch a case. Yields a function to call before each step of the case, with these arguments:

        what     name of the step
        slowest  seconds of the slowest epoch so far
        lasting  seconds that the step takes by design

        Raises BrokenOffError if the trainer hangs or exits the interpreter.
        """
        run, data = self._run, case.data(self._run.inputs.splits)
        first = _LOADING + epoch_work(case.workload.layers(data), len(data), data.images.itemsize).flops / _SLOWEST

        def doing(what: str, *, slowest: float | None = None, lasting: float = 0.0) -> None:
            run.outcomes.reached[case] = what
            self._step(what, lasting + (run.options.patience or (first if slowest is None else max(_BUSY, _TIMES * slowest))))
            progress(f"{run.prefix(case)}  {what}")

        self._tell(case=case.title, waiting=[other.title for other in run.cases if other not in (case, *run.outcomes.finished)])
        before = signal.signal(OVERDUE, self._interrupt) if OVERDUE else None
        try:
            with _os_exit_raises():
                yield doing
        except _Overdue as location:
            raise BrokenOffError(
                f"hangs: {run.outcomes.reached[case]} took more than {self._seconds:.0f} s; stopped in {location}"
            ) from None
        except SystemExit as error:
            how = f": {plain(error.code)}" if isinstance(error.code, str) else f" with exit code {error.code or 0}"
            raise BrokenOffError(f"exits the interpreter{how}") from error
        finally:
            self.rest("recording")
            if OVERDUE:
                signal.signal(OVERDUE, before)

    def rest(self, doing: str) -> None:
        """Start a step without a timeout."""
        self._step(doing, None)
        self._tell(kept=self._kept())

    def finish(self, case: Case) -> None:
        """Record that a case has ended, with any outcome."""
        self._run.outcomes.finished.add(case)
        self._tell(case=None, doing=None, kept=self._kept())

    def _step(self, doing: str, seconds: float | None) -> None:
        self._began, self._seconds = time.monotonic(), seconds or float("inf")
        self._tell(doing=doing, seconds=seconds)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._began >= self._seconds:  # else the step that timed out has just ended by itself
            self._began = time.monotonic()  # restart the timeout: a second _Overdue would interrupt the cleanup
            raise _Overdue(f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}" if frame else "unknown code")

    def _kept(self) -> str:
        writer = self._run.recorder.writer
        rows = self._run.recorder.rows[: writer.written]
        cases = {(row.workload, row.trainer) for row in rows}
        where = writer.partial if writer.partial.exists() else writer.path
        return f"{counted(len(cases), 'case')}, {counted(len(rows), 'row')}, in {where}" if rows else ""

    def _tell(self, **state: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            json_lines.send(cast(BinaryIO, self._process.stdin), **state)


@contextmanager
def _os_exit_raises() -> Iterator[None]:
    """Let os._exit raise SystemExit, so that it ends the case and not the run.

    The function is unchanged for forked children, which must not run the rest of the benchmark, and for other threads, such as
    pytest-timeout's.
    """
    end_process, here = os._exit, os.getpid()

    def end_case(status: int) -> NoReturn:
        if os.getpid() != here or threading.current_thread() is not threading.main_thread():
            end_process(status)
        raise SystemExit(status)

    os._exit = end_case
    try:
        yield
    finally:
        os._exit = end_process
