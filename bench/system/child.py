"""A child process that is killed together with its descendants, and a description of its exit."""

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

_TOKEN = "EPOCHBENCH_CHILD"  # environment variable that a child's descendants inherit
_GRACE = 1.0  # seconds that a child and its descendants get to exit before they are killed


class Child:
    """A running child process in a new session. A context manager, which ends the child and its descendants on exit.

    left_behind  names of the descendants that `end` had to kill
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

        piped             connect `stdin` and `stdout` to pipes; else stdin is empty, and `output` returns stdout and stderr together
        merged            connect `stdout` to a pipe for both stdout and stderr; stdin is empty
        ends_with_parent  on Linux, kill the child when this process ends, even by SIGKILL
        Raises OSError if the command cannot be started.
        """
        self.left_behind: list[str] = []
        self._token = secrets.token_hex(8)
        process_tree.adopt()  # descendants whose parent has ended become children of this process (Linux only)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 (_kill closes it)
        try:
            self._popen = subprocess.Popen(
                process_tree.ending_with_parent(command) if ends_with_parent else command,
                cwd=cwd,
                env={**env, _TOKEN: self._token},
                stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped or merged else self._output,
                stderr=subprocess.STDOUT if merged else self._output,
                start_new_session=True,  # a new process group, which can be signalled as a whole and which Ctrl-C does not reach
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
        """Return the exit code, or None while the child runs."""
        return self._popen.poll()

    def wait(self, seconds: float) -> None:
        """Wait until the child ends, up to `seconds`."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)

    def terminate(self, seconds: float) -> None:
        """Send SIGTERM and wait until the child ends, up to `seconds`. On Windows, kill the child."""
        self._popen.terminate()
        self.wait(seconds)

    def output(self) -> list[str]:
        """Return the lines so far of stderr and stdout, except for a stream that is a pipe."""
        self._output.seek(0)
        return [line.rstrip() for line in self._output.read().decode(errors="replace").splitlines()]

    def death(self) -> str | None:
        """Return a description of the exit with the last line of the output, or None if the child is still running after a second."""
        try:
            how = describe_exit(self._popen.wait(_GRACE))
        except subprocess.TimeoutExpired:
            return None
        last = next((line for line in reversed(self.output()) if line.strip()), "")
        return f"{how}: {last.strip()}" if last else how

    def suspend(self) -> None:
        """Send SIGSTOP to the child's process group. No effect on Windows."""
        self._signal_group("SIGSTOP")

    def resume(self) -> None:
        """Send SIGCONT to the child's process group. No effect on Windows."""
        self._signal_group("SIGCONT")

    def end(self) -> None:
        """End the child and all its descendants, including those in other process groups and those that outlive the child."""
        try:
            with contextlib.suppress(OSError):
                self.resume()
            if self._popen.stdin:
                with contextlib.suppress(OSError):
                    self._popen.stdin.close()
                self.wait(_GRACE)
                psutil.wait_procs(self._descendants(), timeout=_GRACE)
        finally:  # also if a signal interrupts the wait
            try:
                self._kill()
            except BaseException:  # a signal interrupted the kill; later signals are ignored
                self._kill()
                raise

    def _signal_group(self, name: str) -> None:
        if hasattr(os, "killpg"):
            number = getattr(signal, name)
            try:
                os.killpg(self._popen.pid, number)
            except PermissionError:  # macOS, if a process of the group has ended but was not waited for
                self._popen.send_signal(number)

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
        """Return the running processes, except for the child, that have its token in their environment."""
        descendants: list[psutil.Process] = []
        try:
            children = psutil.Process().children(recursive=True)
        except (OSError, psutil.Error):  # a container may hide /proc
            return descendants
        for process in children:
            with contextlib.suppress(psutil.Error):  # a process that has ended has no environment
                if process.pid != self._popen.pid and process.environ().get(_TOKEN) == self._token:
                    descendants.append(process)
        return descendants


def describe_exit(code: int) -> str:
    """Return a description of an exit code. A negative code is the number of a signal."""
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
