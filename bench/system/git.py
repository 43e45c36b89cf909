"""Which code is run: the commit that a checkout is at, and whether what runs is what that commit holds."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.system.own_code import ROOT
from impls import InputError

_CODE = ("*.py", "bench", "impls")  # what of the files that git does not know may be run
_NOT_RESULTS = ":!results"


def own_state() -> tuple[str, bool] | None:
    """Return the state of the checkout that this package is in, or None outside of a checkout. Raises InputError if git fails."""
    return state(ROOT) if (ROOT / ".git").exists() else None


def state(root: Path) -> tuple[str, bool]:
    """Return the commit of the checkout with that root, and whether code is other than there: tracked files that differ, or new code.

    What git ignores, and results/, does not count. Raises InputError if there is no such checkout, or git.
    """
    differing = run(root, "status", "--porcelain", "--untracked-files=no", "--", ".", _NOT_RESULTS)
    added = run(root, "ls-files", "--others", "--exclude-standard", "--", *_CODE, _NOT_RESULTS)
    return run(root, "rev-parse", "--short=12", "HEAD").decode().strip(), bool(differing or added)


def holds(root: Path, file: Path) -> bool:
    """Return whether the file is one of those that git tracks in the checkout with that root."""
    return file.resolve().is_relative_to(root) and bool(run(root, "ls-files", "--", str(file.resolve())))


def run(root: Path, *arguments: str) -> bytes:
    """Return what a git command prints, run in that directory. Raises InputError if it fails."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]  # those would write the index
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise InputError("git is not installed; it is needed to look at another revision") from None
    except subprocess.TimeoutExpired as error:
        raise InputError(f"git {arguments[0]} did not answer within 60 s") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"git {' '.join(arguments)}: {error.stderr.decode(errors='replace').strip() or 'failed'}") from error
