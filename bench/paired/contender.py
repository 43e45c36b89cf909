"""A contender: which trainer, of which revision of the code, under which interpreter and environment."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.paired.checkout import commit, lay_out, working_tree
from impls import TRAINERS, InputError, locate


@dataclass(frozen=True)
class Contender:
    """What a worker process is started with.

    name     what messages call it
    trainer  a name of the ladder, or module:Class
    source   directory that holds the bench/ and impls/ that it runs
    code     which code that is: a commit, or the working tree
    pinned   whether all of it is of that commit, so that nothing may come from the working tree
    python   its interpreter
    env      environment variables on top of this process's
    """

    name: str
    trainer: str
    source: Path
    code: str
    pinned: bool
    python: str = sys.executable
    env: Mapping[str, str] = field(default_factory=dict)


class ContenderError(Exception):
    """A contender failed: it raised, crashed, hung, sent an invalid reply or computes something else. The message names it.

    absent  whether that is because it was not made for this machine or workload
    """

    def __init__(self, contender: Contender, what: str, *, absent: bool = False) -> None:
        super().__init__(f"{contender.name} {what}")
        self.contender = contender
        self.absent = absent


def contender(name: str, directory: Path, *, python: str | None = None, env: Mapping[str, str] | None = None) -> Contender:
    """Return the contender called `trainer` or `trainer@revision`, with its code laid out in the directory, which must be empty.

    Raises InputError if there is no such trainer, revision or interpreter, or the checkout's code is not the one that runs.
    """
    trainer, at, revision = name.partition("@")
    if at and not revision:
        raise InputError(f"{name}: no revision after the @; give trainer or trainer@revision")
    if not at:
        locate(trainer)  # refuses a name that there is not; another revision may have had it
    executable = shutil.which(python) if python else sys.executable
    if executable is None:
        raise InputError(f"{python}: no such interpreter")
    executable = str(Path(executable).absolute())  # the worker runs elsewhere; not resolved, which would leave a virtual environment
    revised = commit(revision) if at else None
    lay_out(directory, revised, ours=trainer in TRAINERS)
    code = revised[:12] if revised else working_tree(ours=trainer in TRAINERS)
    return Contender(name, trainer, directory, code, bool(revised), executable, dict(env or {}))
