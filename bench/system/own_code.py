"""Where this suite's code is, and how a child process finds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the directory of the package bench: in a checkout, its root
IN_CHECKOUT = (ROOT / "pyproject.toml").is_file()


def environment(given: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with which a Python process imports this suite's code, whatever its working directory."""
    if ROOT.name in ("site-packages", "dist-packages"):  # found anyway; and in front of the standard library it would hide parts of it
        return dict(given)
    return {**given, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), given.get("PYTHONPATH"))))}
