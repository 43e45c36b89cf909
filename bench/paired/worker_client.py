"""Client of a worker process: starts it on a contender's job and sends it requests with a timeout."""

from __future__ import annotations

import os
import queue
import threading
from pathlib import Path
from statistics import median
from typing import Any

from bench.paired.contender import Contender, ContenderError
from bench.paired.memory_layout import MemoryLayout
from bench.system import json_lines, own_code
from bench.system.child import Child
from bench.system.launcher import without_launcher
from bench.verify.epoch_job import read_network
from impls import Network

_LONGEST_REPLY = 65_536  # bytes; valid replies have a few hundred


class Worker:
    """A contender's worker process on a job. A context manager that ends the worker and all processes that it started."""

    def __init__(
        self, contender: Contender, job: Path, threads: int, layout: MemoryLayout | None = None, *, module: str = "bench.paired.worker"
    ) -> None:
        self.contender = contender
        self._loads: list[float] = []
        layout = layout or MemoryLayout()
        try:
            self._child = Child(
                [*layout.prefix, contender.python, "-m", module],
                cwd=contender.source,
                env=_environment(contender, layout),
                piped=True,
            )
        except OSError as error:
            raise ContenderError(contender, f"cannot start: {error}") from error
        try:
            self._replies: queue.SimpleQueue[bytes] = queue.SimpleQueue()
            threading.Thread(target=self._listen, daemon=True).start()
            self.request(trainer=contender.trainer, job=str(job), threads=threads, pinned=contender.pinned, modules=str(contender.modules))
        except BaseException:
            self._child.end()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end()

    @property
    def left_behind(self) -> list[str]:
        """After the end, the names of child processes that outlived the worker and were killed."""
        return self._child.left_behind

    def request(self, **content: object) -> None:
        """Send a request. Ignores a dead worker; `reply` then raises ContenderError."""
        json_lines.send(self._child.stdin, **content)

    def reply(self, timeout: float) -> dict[str, Any]:
        """Return the next reply. Raises ContenderError after a timeout, in seconds, or if the reply is an error or invalid."""
        try:
            line = self._replies.get(timeout=timeout)
        except queue.Empty:
            raise ContenderError(self.contender, f"timeout, no reply within {timeout:.0f} s") from None
        if not line:
            raise ContenderError(self.contender, self._death())
        content = json_lines.parse(line)
        if content is None:
            raise ContenderError(self.contender, f"sent an invalid reply: {line[:60].decode(errors='replace')!r}")
        if "absent" in content:
            raise ContenderError(self.contender, f"cannot run here: {content['absent']}", absent=True)
        if "broken" in content:
            raise ContenderError(self.contender, content["broken"])
        if "error" in content:
            raise ContenderError(self.contender, f"raised {content['error']}")
        return content

    def facts(self, timeout: float) -> dict[str, Any]:
        """Return the first reply: versions, BLAS and device. Notes the time of the constructor."""
        facts = self.reply(timeout)
        self._constructor = self._seconds(facts.pop("constructor", None), "of the constructor")
        return facts

    @property
    def start_seconds(self) -> float:
        """The time that the trainer takes to start: of its constructor, and of a `load`. Call it after `facts` and an epoch."""
        return self._constructor + median(self._loads)

    def epoch(self, timeout: float) -> float:
        """Train an epoch from the job's start and return its seconds. Notes the time of the `load` before it."""
        self.request(do="epoch")
        reply = self.reply(timeout)
        self._loads.append(self._seconds(reply.get("load"), "of a load"))
        return self._seconds(reply.get("seconds"), "of an epoch")

    def _seconds(self, value: object, what: str) -> float:
        if not (isinstance(value, float) and 0 < value < float("inf")):
            raise ContenderError(self.contender, f"sent an invalid reply: {value!r} as the seconds {what}")
        return value

    def check(self, timeout: float, *, speed: bool) -> None:
        """Raise ContenderError if the trainer broke its contract in an epoch so far.

        speed  whether to measure the machine's peaks, and check that it can be so fast
        """
        self.request(do="check speed" if speed else "check")
        self.reply(timeout)

    def network(self, file: Path, timeout: float) -> Network:
        """Return the network after the last epoch. The worker writes it to the file."""
        self.request(do="save", to=str(file))
        self.reply(timeout)
        try:
            return read_network(file)
        except (OSError, ValueError, KeyError) as error:
            raise ContenderError(self.contender, f"returned no readable network: {error}") from error

    def perturbed(self, file: Path, timeout: float) -> Network:
        """Train an epoch with the start and order of `rounding.perturbed` and return its network."""
        self.request(do="perturb")
        self.reply(timeout)
        return self.network(file, timeout)

    def suspend(self) -> None:
        """Suspend the worker, so that its threads do not spin while the other worker is timed. Windows: no effect."""
        self._child.suspend()

    def resume(self) -> None:
        """Resume the worker."""
        self._child.resume()

    def _listen(self) -> None:
        with self._child.stdout as replies:
            while line := replies.readline(_LONGEST_REPLY):
                self._replies.put(line)
        self._replies.put(b"")

    def _death(self) -> str:
        """Return how the worker ended, and how to install a module that its interpreter lacks."""
        death = self._child.death()
        if death is None:
            return "closed the pipe"
        how, _, last = death.partition(": ")
        message = f"{how}: {last}" if last else how
        if last.startswith("ModuleNotFoundError"):
            what = str(own_code.ROOT) if own_code.IN_CHECKOUT else "epochbench and the trainer's libraries"
            message += f"; install epochbench in that interpreter: {self.contender.python} -m pip install {what}"
        return message


def _environment(contender: Contender, layout: MemoryLayout) -> dict[str, str]:
    environment = {**without_launcher(os.environ), **layout.env, **contender.env}
    environment.pop("PYTHONSAFEPATH", None)  # Python must find the copied code in the working directory
    given = (paths.get("PYTHONPATH", "").split(os.pathsep) for paths in (contender.env, os.environ))
    # Absolute, because the worker runs in another directory
    first, last = ([str(Path(path).absolute()) for path in paths if path] for paths in given)
    theirs = str(contender.modules), str(contender.modules / "src")
    return {**environment, "PYTHONPATH": os.pathsep.join([*first, *theirs, *last])}
