"""A child process that is ended with everything that it started, and an account of how it ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import psutil

from bench.system import process_tree

_TOKEN = "EPOCHBENCH_CHILD"  # in the environment of a child and so of all its descendants
_GRACE = 1.0  # seconds in which a child and its descendants may end by themselves


class Child:
    """A running child process in a session of its own. A context manager: at its end the child and its descendants are gone.

    left_behind  after the end, the names of descendants that had to be killed
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        piped: bool = False,
        merged: bool = False,
        ends_with_parent: bool = False,
    ) -> None:
        """Start the command.

        piped             whether `stdin` and `stdout` are pipes to it; else it reads nothing, and its output is kept with its errors
        merged            whether `stdout` is a pipe that its output and its errors come through; it reads nothing
        ends_with_parent  whether Linux kills it when this process ends, even by SIGKILL
        Raises OSError if it cannot be started.
        """
        self.left_behind: list[str] = []
        self._token = secrets.token_hex(8)
        process_tree.adopt()  # so that descendants whose parent has ended are found; not every system can do it
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end)
        try:
            self._popen = subprocess.Popen(
                process_tree.ending_with_parent(command) if ends_with_parent else command,
                cwd=cwd,
                env={**env, _TOKEN: self._token},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped or merged else self._output,
                stderr=subprocess.STDOUT if merged else self._output,
                start_new_session=True,  # a process group of its own, to be ended as a whole, and no Ctrl-C except through us
            )
        except BaseException:
            self._output.close()
            raise

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def stdin(self) -> BinaryIO:
        """The pipe to the child's standard input."""
        assert self._popen.stdin
        return self._popen.stdin  # type: ignore[return-value]

    @property
    def stdout(self) -> BinaryIO:
        """The pipe from the child's standard output."""
        assert self._popen.stdout
        return self._popen.stdout  # type: ignore[return-value]

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        return self._popen.poll()

    def wait(self, seconds: float) -> None:
        """Wait until it ends, up to that many seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)

    def terminate(self, seconds: float) -> None:
        """Ask it to end, and wait until it does, up to that many seconds. Windows: it is killed."""
        self._popen.terminate()
        self.wait(seconds)

    def output(self) -> list[str]:
        """Return the lines of its errors so far, and of its output, without those that came through a pipe."""
        self._output.seek(0)
        return [line.rstrip() for line in self._output.read().decode(errors="replace").splitlines()]

    def death(self) -> str | None:
        """Return how it ended, with the last line of its output, or None if it has not ended within a second."""
        try:
            how = describe_exit(self._popen.wait(_GRACE))
        except subprocess.TimeoutExpired:
            return None
        last = next((line for line in reversed(self.output()) if line.strip()), "")
        return f"{how}: {last.strip()}" if last else how

    def suspend(self) -> None:
        """Stop it where it stands, with its group. Windows: no effect."""
        self._signal_group("SIGSTOP")

    def resume(self) -> None:
        """Let it go on."""
        self._signal_group("SIGCONT")

    def end(self) -> None:
        """End it and whatever it started, including what has left its process group or outlived it."""
        try:
            with contextlib.suppress(OSError):
                self.resume()
            if self._popen.stdin:
                with contextlib.suppress(OSError):
                    self._popen.stdin.close()
                self.wait(_GRACE)
                psutil.wait_procs(self._descendants(), timeout=_GRACE)  # they may end by themselves
        finally:  # a signal may have ended the waiting
            try:
                self._kill()
            except BaseException:  # or the killing; there is no other signal after it
                self._kill()
                raise

    def _signal_group(self, name: str) -> None:
        if hasattr(os, "killpg"):
            os.killpg(self._popen.pid, getattr(signal, name))

    def _kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        while alive := self._descendants():
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    self.left_behind.append(process.name())
                    process.kill()
            psutil.wait_procs(alive, timeout=_GRACE)
        self._output.close()

    def _descendants(self) -> list[psutil.Process]:
        """Return the living processes that carry the child's token, other than it."""
        descendants = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):  # an ended one has no environment
                if process.pid != self._popen.pid and process.environ().get(_TOKEN) == self._token:
                    descendants.append(process)
        return descendants


def describe_exit(code: int) -> str:
    """Return how a process with this exit code ended; below 0 it is the number of a signal."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
