"""A worker process seen from the parent: started on a contender's job, and asked with a timeout."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from typing import Any

from bench.paired.contender import Contender, ContenderError
from bench.paired.memory_layout import MemoryLayout
from bench.system import json_lines, own_code
from bench.system.child import Child
from bench.system.launcher import without_launcher
from bench.verify.contract import ContractError, check_finished
from bench.verify.epoch_job import read_network
from impls import Network

_LONGEST_REPLY = 65_536  # bytes; the longest honest one has a few hundred


class Worker:
    """A contender's worker on a job. A context manager: at its end the worker and all that it started are gone."""

    def __init__(self, contender: Contender, job: Path, threads: int, layout: MemoryLayout | None = None) -> None:
        self.contender = contender
        layout = layout or MemoryLayout()
        arguments = contender.trainer, str(job), str(threads), str(contender.pinned)
        try:
            self._child = Child(
                [*layout.prefix, contender.python, "-m", "bench.paired.worker", *arguments],
                cwd=contender.source,
                env=_environment(contender, layout),
                piped=True,
            )
        except OSError as error:
            raise ContenderError(contender, f"cannot be started: {error}") from error
        try:
            self._replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
            threading.Thread(target=self._listen, daemon=True).start()
        except BaseException:
            self._child.end()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end()

    @property
    def left_behind(self) -> list[str]:
        """After the end, the names of processes that it left and that had to be killed."""
        return self._child.left_behind

    def request(self, **content: object) -> None:
        """Send a request. A worker that is gone is noticed when it does not reply."""
        json_lines.send(self._child.stdin, **content)

    def reply(self, timeout: float) -> dict[str, Any]:
        """Return the next reply. Raises ContenderError if there is none within the seconds, or it is an error or invalid."""
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            raise ContenderError(self.contender, f"hangs: no reply within {timeout:.0f} s") from None
        if not line:
            raise ContenderError(self.contender, self._death())
        content = json_lines.parse(line)
        if content is None:
            raise ContenderError(self.contender, f"sent an invalid reply: {line[:60].decode(errors='replace')!r}")
        if "absent" in content:
            raise ContenderError(self.contender, f"cannot run here: {content['absent']}", absent=True)
        if "error" in content:
            raise ContenderError(self.contender, f"cannot be measured: {content['error']}")
        return content

    def epoch(self, timeout: float) -> float:
        """Return the seconds of an epoch from the job's start."""
        seconds = self._number("epoch", "seconds", timeout)
        if not 0 < seconds < float("inf"):
            raise ContenderError(self.contender, f"sent an invalid reply: {seconds!r} as the seconds of an epoch")
        return seconds

    def first_epoch(self, timeout: float) -> None:
        """Train an epoch that is not timed. Raises ContenderError if it returns before its work is done."""

        def observed() -> tuple[float, float]:
            return self.epoch(timeout), self._number("pending", "seconds", timeout)

        try:
            check_finished([observed()], observed)
        except ContractError as error:
            raise ContenderError(self.contender, str(error)) from error

    def network(self, file: Path, timeout: float) -> Network:
        """Return where the last epoch ended, by way of the file."""
        self.request(do="save", to=str(file))
        self.reply(timeout)
        try:
            return read_network(file)
        except (OSError, ValueError, KeyError) as error:
            raise ContenderError(self.contender, f"gave back no network: {error}") from error

    def perturbed(self, file: Path, timeout: float) -> Network:
        """Train the epoch as `rounding.perturbed` has it, and return where it ends."""
        self.request(do="perturb")
        self.reply(timeout)
        return self.network(file, timeout)

    def suspend(self) -> None:
        """Stop the worker where it stands, so that none of its threads spins while another is measured. Windows: no effect."""
        self._child.suspend()

    def resume(self) -> None:
        """Let it go on."""
        self._child.resume()

    def _number(self, what: str, field: str, timeout: float) -> float:
        """Request what is to be done and return the number that is replied."""
        self.request(do=what)
        number = self.reply(timeout).get(field)
        if not isinstance(number, float):
            raise ContenderError(self.contender, f"sent an invalid reply: {number!r} as the {field} of {what}")
        return number

    def _listen(self) -> None:
        with self._child.stdout as replies:
            while line := replies.readline(_LONGEST_REPLY):
                self._replies.put(line)
        self._replies.put(b"")

    def _death(self) -> str:
        """Return how the worker ended, with the remedy if its interpreter lacks a module."""
        death = self._child.death()
        if death is None:
            return "closed its end of the pipe"
        how, _, last = death.partition(": ")
        if last.startswith("ModuleNotFoundError"):
            what = str(own_code.ROOT) if own_code.IN_CHECKOUT else "epochbench, and what the trainer needs"
            how += f"; this suite belongs into its interpreter: {self.contender.python} -m pip install {what}"
        return f"{how}: {last}" if last else how


def _environment(contender: Contender, layout: MemoryLayout) -> dict[str, str]:
    environment = {**without_launcher(os.environ), **layout.env, **contender.env}
    environment.pop("PYTHONSAFEPATH", None)  # the staged code is found because it is in the working directory
    theirs = contender.source if contender.pinned else Path.cwd()
    paths = contender.env.get("PYTHONPATH"), str(theirs), str(theirs / "src"), os.environ.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
