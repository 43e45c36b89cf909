"""State of a git checkout: its commit, and whether its code differs from that commit."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bench.system.own_code import ROOT
from impls import InputError

_CODE = ("*.py", "bench", "impls")  # untracked files that may be run
_NOT_RESULTS = ":!results"
# The variables that `git rev-parse --local-env-vars` lists, except for those of the configuration
_OF_A_REPOSITORY = {
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_PREFIX", "GIT_NAMESPACE", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE"),
    *("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_REPLACE_REF_BASE", "GIT_IMPLICIT_WORK_TREE"),
}


def own_state() -> tuple[str, bool] | None:
    """Return the `state` of the checkout that contains this package, or None outside a checkout. Raises InputError if git fails."""
    return state(ROOT) if (ROOT / ".git").exists() else None


def state(root: Path) -> tuple[str, bool]:
    """Return the commit of the checkout at `root`, and whether its code differs from it: changed tracked files, or untracked code.

    Ignored files and results/ do not count. Raises InputError if `root` is not a checkout, or git is not installed.
    """
    differing = run(root, "status", "--porcelain", "--untracked-files=no", "--", ".", _NOT_RESULTS)
    added = run(root, "ls-files", "--others", "--exclude-standard", "--", *_CODE, _NOT_RESULTS)
    return run(root, "rev-parse", "--short=12", "HEAD").decode().strip(), bool(differing or added)


def own_subjects(commits: Iterable[str]) -> dict[str, str]:
    """Return the first line of the message of each of the commits that the checkout of this package knows.

    commits  abbreviated or full hashes; what is no hash is unknown
    """
    hashes = [commit for commit in commits if re.fullmatch(r"[0-9a-f]{7,40}", commit)]  # git would take a branch's name, too
    if not hashes or not (ROOT / ".git").exists():
        return {}
    try:
        listed = run(ROOT, "log", "--no-walk", "--ignore-missing", "--format=%H %s", *hashes).decode(errors="replace")
    except InputError:  # a chart without subjects is better than none
        return {}
    subjects = dict(line.split(" ", 1) for line in listed.splitlines())
    return {short: subject for short in hashes for full, subject in subjects.items() if full.startswith(short)}


def root_of(place: Path) -> Path | None:
    """Return the root of the checkout of a file or directory: the nearest directory that contains .git; None if there is none."""
    place = place.resolve()
    return next((directory for directory in (place, *place.parents) if (directory / ".git").exists()), None)


def ignores(root: Path, file: Path) -> bool:
    """Return whether git ignores the file in the checkout at `root`."""
    return not holds(root, file) and not run(root, "ls-files", "--others", "--exclude-standard", "--", str(file.resolve()))


def holds(root: Path, file: Path) -> bool:
    """Return whether git tracks the file in the checkout at `root`."""
    return file.resolve().is_relative_to(root) and bool(run(root, "ls-files", "--", str(file.resolve())))


def run(root: Path, *arguments: str) -> bytes:
    """Run a git command in `root` and return its output. Raises InputError if it fails."""
    # A git hook sets variables such as GIT_DIR, which name another repository.
    environment = {name: value for name, value in os.environ.items() if name not in _OF_A_REPOSITORY} | {"LC_ALL": "C"}
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]  # without the option, git may write the index
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=60, env=environment).stdout
    except FileNotFoundError:
        raise InputError("git", "not installed", "install it to read revisions") from None
    except subprocess.TimeoutExpired as error:
        raise InputError(f"git {arguments[0]}", "timed out after 60 s") from error
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.decode(errors="replace").split())  # its advice has line breaks
        raise InputError(f"git {' '.join(arguments)}", said or "failed") from error
