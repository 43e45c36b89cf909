"""State of a git checkout: its commit, and whether its code differs from that commit."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bench.system.own_code import ROOT
from impls import InputError

_CODE = ("*.py", "bench", "impls")  # untracked files that may be run
_NOT_RESULTS = ":!results"


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


def holds(root: Path, file: Path) -> bool:
    """Return whether git tracks the file in the checkout at `root`."""
    return file.resolve().is_relative_to(root) and bool(run(root, "ls-files", "--", str(file.resolve())))


def run(root: Path, *arguments: str) -> bytes:
    """Run a git command in `root` and return its output. Raises InputError if it fails."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]  # without the option, git may write the index
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
    except FileNotFoundError:
        raise InputError("git: not installed; install it to read revisions") from None
    except subprocess.TimeoutExpired as error:
        raise InputError(f"git {arguments[0]}: timed out after 60 s") from error
    except subprocess.CalledProcessError as error:
        raise InputError(f"git {' '.join(arguments)}: {error.stderr.decode(errors='replace').strip() or 'failed'}") from error
