"""Location of this suite's code, and an environment in which a child process can import it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the directory that contains the package bench: in a checkout, its root
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a Python process imports this suite's code from any working directory."""
    if ROOT.name in ("site-packages", "dist-packages"):  # importable anyway; in PYTHONPATH it would shadow the standard library
        return dict(given)
    return {**given, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), given.get("PYTHONPATH"))))}


def find_modules_here() -> None:
    """Let trainers be imported from the current directory, whatever command was started. Call it after this suite's packages are imported:
    the directory may have a bench/ or an impls/ of its own.
    """
    here = str(Path.cwd())
    if not {"", here} & set(sys.path):
        sys.path.insert(0, here)
