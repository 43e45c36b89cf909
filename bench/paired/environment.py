"""Environments with other versions of Python or of a package, for one side of a comparison.

An environment has what a worker imports: NumPy, psutil, threadpoolctl and the trainer's library, in the versions of this one, except for
those that are asked for. It is made once, by uv if there is one, else by venv and pip, and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from bench.system.progress import progress
from impls import InputError, load_trainer

_NEEDED = ("numpy", "psutil", "threadpoolctl")
_OFFLINE = re.compile(r"dns error|name resolution|network is unreachable|failed to establish|connection|offline|timed out", re.IGNORECASE)
_COMPLETE = "epochbench-complete"  # a file in an environment that was made without an error


class Releases(NamedTuple):
    """Releases of a package, oldest first."""

    package: str
    versions: tuple[str, ...]


def interpreter(requirements: Sequence[str], trainer: str, python: str | None = None) -> str:
    """Return the interpreter of an environment with these requirements, such as "numpy==2.1.*", for a trainer.

    python  an interpreter, or a version such as "3.11"; None: this one
    Raises InputError if it cannot be made, as without a network.
    """
    named = {name_of(requirement) for requirement in requirements}
    wanted = [*requirements, *(pin for name in (*_NEEDED, *_libraries(trainer)) if name not in named and (pin := _pinned(name)))]
    base = _base(python)
    key = hashlib.sha256("\n".join([base, sys.platform, *sorted(wanted)]).encode()).hexdigest()[:16]
    directory = _cache() / key
    if not (directory / _COMPLETE).is_file():
        progress(f"making an environment with {', '.join(requirements) or base}")
        _make(directory, base, wanted, list(requirements))
    return str(_python_in(directory))


def releases(given: str) -> Releases:
    """Return the releases of PACKAGE==FIRST..LAST in this machine's index, without pre-releases. Raises InputError if there is none."""
    match = re.fullmatch(r"([\w.-]+)==([\d.]+)\.\.([\d.]+)", given)
    if not match:
        raise InputError(given, "not a range of releases", "write PACKAGE==FIRST..LAST, such as numpy==2.1..2.4")
    package, first, last = match.groups()
    done = _run([sys.executable, "-m", "pip", "index", "versions", package])
    listed = re.search(r"Available versions: (.*)", done.stdout)
    if done.returncode or not listed:
        raise InputError(package, f"pip cannot list its releases: {_why(done)}", "check the name and the network")
    versions = [version for version in reversed(listed[1].split(", ")) if re.fullmatch(r"[\d.]+", version)]
    end = _numbers(last)
    chosen = tuple(each for each in versions if _numbers(first) <= _numbers(each) and _numbers(each)[: len(end)] <= end)
    if len(chosen) < 2:
        raise InputError(given, f"the index has {len(chosen)} such releases", "choose a wider range")
    return Releases(package, chosen)


def name_of(requirement: str) -> str:
    """Return the package of a requirement, as packages are compared."""
    name = re.match(r"[A-Za-z0-9][\w.-]*", requirement)
    if not name:
        raise InputError(requirement, "not a requirement", "write it as for pip, such as numpy==2.1.*")
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def _libraries(trainer: str) -> list[str]:
    """Return the packages of the trainer's library, besides NumPy."""
    library = load_trainer(trainer).library.split(" ")[0]
    if library == "cupy":
        return [name for name in metadata.packages_distributions().get("cupy", []) if name.startswith("cupy")]
    return [] if library == "numpy" else [library]


def _pinned(package: str) -> str:
    """Return the requirement of the version that is installed here; the package's name if it is not installed."""
    try:
        return f"{package}=={metadata.version(package).partition('+')[0]}"
    except metadata.PackageNotFoundError:
        return package


def _base(python: str | None) -> str:
    """Return the interpreter to make an environment from, or, for uv, its version."""
    if python is None:
        return sys.executable
    if not re.fullmatch(r"\d+\.\d+(\.\d+)?", python):
        return python
    found = shutil.which(f"python{python}")
    if found or _uv():
        return found or python
    raise InputError(f"python={python}", "not found", f"install Python {python}, or uv, which fetches it")


def _make(directory: Path, base: str, wanted: Sequence[str], asked: Sequence[str]) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix="making-") as unfinished:
        made = Path(unfinished) / "environment"
        if uv := _uv():
            commands = [[uv, "venv", "--quiet", "--python", base, str(made)]]
            commands += [[uv, "pip", "install", "--quiet", "--python", str(_python_in(made)), *wanted]]
        else:
            commands = [[base, "-m", "venv", str(made)], [str(_python_in(made)), "-m", "pip", "install", "--quiet", *wanted]]
        for command in commands:
            done = _run(command)
            if done.returncode:
                what = " ".join(asked) or base
                if _OFFLINE.search(done.stderr):
                    raise InputError(what, f"needs a network: {_why(done)}", "connect, or name an interpreter that has it")
                if "from versions: none" in done.stderr:  # what pip says without a network, too
                    raise InputError(what, f"not found: {_why(done)}", "check the name, and the network")
                raise InputError(what, f"cannot be installed: {_why(done)}", "choose versions that fit together")
        (made / _COMPLETE).touch()
        shutil.rmtree(directory, ignore_errors=True)
        made.rename(directory)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def _why(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
    return " ".join(lines)[:300] or f"exit code {done.returncode}"


def _uv() -> str | None:
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _cache() -> Path:
    """Return the directory for environments in the user's cache."""
    if sys.platform == "win32":
        home = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        home = Path.home() / "Library" / "Caches"
    else:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "epochbench" / "environments"


def _python_in(directory: Path) -> Path:
    return directory / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part)
