"""Contenders: a trainer, the revision of its code, an interpreter and environment variables."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.paired.checkout import THEIRS, commit, lay_out, working_tree
from impls import TRAINERS, InputError, locate


@dataclass(frozen=True)
class Contender:
    """The arguments of a worker process.

    name     its name in messages
    trainer  a trainer's name, or module:Class
    source   the directory with the bench/ and impls/ that the worker runs
    code     a name for that code: a commit, or the working tree
    pinned   whether all code is from that commit: the worker must not import from the working tree
    modules  the directory to import the trainer from, if it is not one of impls/
    python   its interpreter
    env      environment variables, in addition to those of this process
    """

    name: str
    trainer: str
    source: Path
    code: str
    pinned: bool
    modules: Path
    python: str = sys.executable
    env: Mapping[str, str] = field(default_factory=dict)


class ContenderError(Exception):
    """A contender failed: it raised, crashed, hung, sent an invalid reply or computed a wrong result. The message starts with its name.

    absent  whether the trainer does not support this machine or workload
    """

    def __init__(self, contender: Contender, what: str, *, absent: bool = False) -> None:
        super().__init__(f"{contender.name}: {what}")
        self.contender = contender
        self.absent = absent


def contender(name: str, directory: Path, *, python: str | None = None, env: Mapping[str, str] | None = None, label: str = "") -> Contender:
    """Copy a contender's code into the directory and return the contender.

    name       `trainer` or `trainer@revision`
    directory  must be empty
    python     path or name of its interpreter; None: this one
    env        environment variables, in addition to those of this process
    label      what tells it from others with this name
    Raises InputError if the trainer, revision or interpreter does not exist, or the running code is not the checkout's.
    """
    trainer, at, revision = name.partition("@")
    if at and not revision:
        raise InputError(name, "no revision after the @", "give trainer or trainer@revision")
    if not at:
        locate(trainer)  # rejects an unknown name; another revision may have other trainers
    executable = shutil.which(python) if python else sys.executable
    if executable is None:
        raise InputError(python, "no such interpreter", "give the path of a Python executable")
    # Absolute, because the worker runs in another directory. Not resolved, because that would leave a virtual environment.
    executable = str(Path(executable).absolute())
    revised = commit(revision) if at else None
    lay_out(directory, revised, ours=trainer in TRAINERS)
    code = revised[:12] if revised else working_tree(ours=trainer in TRAINERS)
    modules = directory / THEIRS if revised else Path.cwd()
    return Contender(f"{name} {label}".strip(), trainer, directory, code, bool(revised), modules, executable, dict(env or {}))
