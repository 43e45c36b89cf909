"""Shell commands that start the programs of this Python environment from the current directory."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path


def call(name: str) -> str | None:
    """Return the command that starts a program of this environment: its name if the shell finds this one, otherwise its path.

    Returns None if the environment has no such program.
    """
    if sys.prefix == sys.base_prefix:  # not a virtual environment; PATH may lead to a launcher in another directory, such as a pyenv shim
        return name if shutil.which(name) else None
    own = shutil.which(name, path=str(Path(sys.executable).parent))
    if own is None or shutil.which(name) == own:
        return own and name
    try:
        below = Path(own).relative_to(Path.cwd())
    except (ValueError, FileNotFoundError):  # elsewhere, or the current directory was deleted
        return quoted(own)
    return quoted(str(below) if len(below.parts) > 1 else own)


def python() -> str:
    """Return the command that starts this interpreter."""
    return call("python") or call("python3") or quoted(sys.executable)


def pip() -> str:
    """Return the command that starts pip for this environment. An environment made by uv has no pip: then it is `uv pip`."""
    return call("pip") or ("uv pip" if _made_by_uv() else f"{python()} -m pip")


def quoted(word: str) -> str:
    """Return a word as the shell of this system needs it."""
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)


def _made_by_uv() -> bool:
    try:
        return "\nuv = " in Path(sys.prefix, "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        return False
