"""A worker process seen from the parent: started, asked with a time-out, and ended with all that it started."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil

import bench
from bench.paired.contender import Contender
from bench.paired.memory_layout import Layout
from bench.system import process_tree
from bench.system.launcher import without_launcher
from bench.text.numbers import duration
from bench.verify.epoch_job import read_network
from bench.verify.pending import TRIES, early
from impls import Network

_LONGEST_REPLY = 65_536  # characters; the longest honest one has a few hundred
_TOKEN = "EPOCHBENCH_WORKER"
_GRACE = 1.0  # seconds in which an ended worker and its children may go by themselves


class ContenderError(Exception):
    """A contender failed: it raised, crashed, hung, talked nonsense or computes something else. The message names it and says what it did.

    absent  whether that is because it was not made for this machine or workload
    """

    def __init__(self, contender: Contender, what: str, *, absent: bool = False) -> None:
        super().__init__(f"{contender.name} {what}")
        self.contender = contender
        self.absent = absent


class Process:
    """A contender's worker on a job. A context manager: at its end the worker and its children are gone.

    left_behind  after the end, the names of children that had to be killed
    """

    def __init__(self, contender: Contender, job: Path, threads: int, layout: Layout | None = None) -> None:
        self.contender = contender
        self.left_behind: list[str] = []
        layout = layout or Layout()
        environment = {**without_launcher(os.environ), **layout.env, **contender.env}
        environment.pop("PYTHONSAFEPATH", None)  # the staged code is found because it is in the working directory
        theirs = contender.source if contender.pinned else Path.cwd()
        paths = contender.env.get("PYTHONPATH"), str(theirs), str(theirs / "src"), os.environ.get("PYTHONPATH")
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        environment[_TOKEN] = self._token = secrets.token_hex(8)  # tells whose the processes are that it starts
        process_tree.adopt()  # so that they can be found; elsewhere they may be missed
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the worker)
        try:
            self._popen = subprocess.Popen(
                [
                    *layout.prefix,
                    contender.python,
                    "-m",
                    "bench.paired.worker",
                    contender.trainer,
                    str(job),
                    str(threads),
                    str(contender.pinned),
                ],
                cwd=contender.source,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # a process group of its own, to be ended as a whole, and no Ctrl-C but through us
            )
        except OSError as error:
            self._errors.close()
            raise ContenderError(contender, f"cannot be started: {error}") from error
        try:
            self._replies: queue.SimpleQueue[str] = queue.SimpleQueue()
            threading.Thread(target=self._listen, daemon=True).start()
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def request(self, **content: object) -> None:
        """Send a request."""
        assert self._popen.stdin
        with contextlib.suppress(OSError):  # a worker that is gone is noticed when it does not reply
            self._popen.stdin.write(json.dumps(content) + "\n")
            self._popen.stdin.flush()

    def reply(self, timeout: float) -> dict[str, Any]:
        """Return the next reply. Raises ContenderError if there is none within the seconds, or it is an error or no reply at all."""
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            raise ContenderError(self.contender, f"hangs: no reply within {timeout:.0f} s") from None
        if not line:
            raise ContenderError(self.contender, self._death())
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise ContenderError(self.contender, f"prints garbage where a reply belongs: {line[:60]!r}")
        if "absent" in content:
            raise ContenderError(self.contender, f"cannot run here: {content['absent']}", absent=True)
        if "error" in content:
            raise ContenderError(self.contender, f"cannot be measured: {content['error']}")
        return content

    def epoch(self, timeout: float) -> float:
        """Return the seconds of an epoch."""
        self.request(do="epoch")
        seconds = self.reply(timeout).get("seconds")
        if not isinstance(seconds, float) or not 0 < seconds < float("inf"):
            raise ContenderError(self.contender, f"replies with {seconds!r} where the seconds of an epoch belong")
        return seconds

    def first_epoch(self, timeout: float) -> None:
        """Train an epoch that is not timed. Raises ContenderError if it returns before its work is done."""
        left: list[float] = []
        while len(left) < TRIES:
            seconds = self.epoch(timeout)
            self.request(do="look")
            told = self.reply(timeout).get("left")
            if not isinstance(told, float):
                raise ContenderError(self.contender, f"replies with {told!r} where the seconds that are left belong")
            left.append(told)
            if not early(left[-1], seconds):
                return
        raise ContenderError(self.contender, f"returns before its work is done: {duration(min(left))} of it are left then")

    def network(self, file: Path, timeout: float) -> Network:
        """Return where the last epoch ended, by way of the file."""
        self.request(do="save", to=str(file))
        self.reply(timeout)
        try:
            return read_network(file)
        except (OSError, ValueError, KeyError) as error:
            raise ContenderError(self.contender, f"gave back no network: {error}") from error

    def shaken(self, file: Path, timeout: float) -> Network:
        """Train the epoch as `rounding.shaken` has it, and return where it ends."""
        self.request(do="shake")
        self.reply(timeout)
        return self.network(file, timeout)

    def sleep(self) -> None:
        """Stop the worker where it stands, so that no thread of it spins while another is measured. Windows: no effect."""
        if hasattr(os, "killpg"):
            os.killpg(self._popen.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on."""
        if hasattr(os, "killpg"):
            os.killpg(self._popen.pid, signal.SIGCONT)

    def end(self) -> None:
        """End the worker and whatever it started, also what has left its process group or outlived it."""
        try:
            with contextlib.suppress(OSError):
                self.wake()
            assert self._popen.stdin
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(_GRACE)
            psutil.wait_procs(self._descendants(), timeout=_GRACE)  # they may go by themselves
        finally:  # a signal may have ended the waiting
            try:
                self._kill()
            except BaseException:  # or the killing; there is no other signal after it
                self._kill()
                raise

    def _kill(self) -> None:
        self._popen.kill()
        self._popen.wait()
        while alive := self._descendants():
            for process in alive:
                with contextlib.suppress(psutil.Error):
                    self.left_behind.append(process.name())
                    process.kill()
            psutil.wait_procs(alive, timeout=_GRACE)
        self._errors.close()

    def _descendants(self) -> list[psutil.Process]:
        """Return the living processes that carry the worker's token, other than it."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if process.pid != self._popen.pid and process.environ().get(_TOKEN) == self._token:  # an ended one tells no environment
                    found.append(process)
        return found

    def _listen(self) -> None:
        assert self._popen.stdout
        with self._popen.stdout as replies:
            while line := replies.readline(_LONGEST_REPLY):
                self._replies.put(line)
        self._replies.put("")

    def _death(self) -> str:
        try:
            code = self._popen.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "closed its end of the line"
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._errors.seek(0)
        told = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        if told and told[-1].startswith("ModuleNotFoundError"):
            home = Path(bench.__file__).parent.parent
            what = str(home) if (home / "pyproject.toml").is_file() else "epochbench, and what the trainer needs"
            how += f"; this suite belongs into its interpreter: {self.contender.python} -m pip install {what}"
        return f"{how}: {told[-1]}" if told else how
