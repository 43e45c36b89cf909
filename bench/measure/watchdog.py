"""Watches over a run: a case that hangs or exits fails alone, and another process can tell what a run was doing when it died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO, cast

from bench.machine.roofline import epoch_work
from bench.measure.case import Case
from bench.measure.run import Run
from bench.system import json_lines, own_code
from bench.system.progress import progress
from bench.text.numbers import counted

# A first epoch may load a library and compile, and be as slow as an interpreter without arrays: 10 million operations a second.
_LOADING = 120.0
_SLOWEST = 1e7
# Later ones are known: so many times the slowest so far, and no less than a machine may be busy with something else.
_TIMES = 20
_BUSY = 30.0


class BrokenOffError(Exception):
    """A case was broken off, because its trainer hangs or exits the interpreter. The message says which."""


class _Overdue(BaseException):
    """Raised in the step that took too long, with the line of code. Not an Exception, because a trainer may catch those and go on."""


class Watchdog:
    """Watches over the cases of a run, one after the other. A context manager: at its end nothing is watched any more.

    The step under way is told to a process of its own (`bench.measure.watchdog_process`), which says what became of the run should
    it die, and signals when a step takes too long. Where there are no such signals (Windows), that process ends the run instead.
    It is no `system.child.Child`: those end with this process, and their output is kept; this one outlives it and writes to its
    standard error.
    """

    def __init__(self, run: Run) -> None:
        """Start the process; it writes to this one's standard error."""
        self._run = run
        self._began, self._seconds = 0.0, float("inf")
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "bench.measure.watchdog_process", str(os.getpid())],  # -P: no bench/ of the current directory
                env=own_code.environment(os.environ),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,  # what ends this process's group, Ctrl-C too, does not end that one
            )
        except OSError as error:
            run.warnings.append(f"if this run is killed, nobody will say so, and what hangs is not ended: no process ({error.strerror})")
        self._tell(waiting=[case.title for case in run.cases])

    def __enter__(self) -> Watchdog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Watch no more."""
        if self._process is not None:
            self._process.kill()  # or it would take the end for a death
            self._process.wait()
            assert self._process.stdin
            self._process.stdin.close()

    @contextmanager
    def supervise(self, case: Case) -> Iterator[Callable[..., None]]:
        """Watch over a case. Yields a function to call with what is done to it next, the seconds of its slowest epoch so far, and the
        seconds for which it goes on on purpose.

        Raises BrokenOffError for a trainer that hangs or exits the interpreter.
        """
        run, data = self._run, case.data(self._run.inputs.splits)
        first = _LOADING + epoch_work(case.workload.layers(data), len(data), data.images.itemsize).flops / _SLOWEST

        def doing(what: str, *, slowest: float | None = None, lasting: float = 0.0) -> None:
            run.outcomes.reached[case] = what
            self._step(what, lasting + (run.options.patience or (first if slowest is None else max(_BUSY, _TIMES * slowest))))
            progress(f"{run.prefix(case)}  {what}")

        self._tell(case=case.title, waiting=[other.title for other in run.cases if other not in (case, *run.outcomes.finished)])
        alarm = signal.signal(signal.SIGALRM, self._interrupt) if hasattr(signal, "SIGALRM") else None
        try:
            yield doing
        except _Overdue as location:
            raise BrokenOffError(
                f"hangs: {run.outcomes.reached[case]} took more than {self._seconds:.0f} s, at last in {location}"
            ) from None
        except SystemExit as error:
            raise BrokenOffError(f"exits the interpreter, with exit code {error.code or 0}") from error
        finally:
            self.rest("recording")
            if alarm is not None:
                signal.signal(signal.SIGALRM, alarm)

    def rest(self, doing: str) -> None:
        """Let what comes next take as long as it likes."""
        self._step(doing, None)
        self._tell(kept=self._kept())

    def finish(self, case: Case) -> None:
        """Take note that a case has ended, whichever way."""
        self._run.outcomes.finished.add(case)
        self._tell(case=None, doing=None, kept=self._kept())

    def _step(self, doing: str, seconds: float | None) -> None:
        self._began, self._seconds = time.monotonic(), seconds or float("inf")
        self._tell(doing=doing, seconds=seconds)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if time.monotonic() - self._began >= self._seconds:  # else the step that was meant has just ended by itself
            self._began = time.monotonic()  # once is enough: a second one must not break the cleaning up
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
