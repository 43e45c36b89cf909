"""The commands that install optional libraries."""

from __future__ import annotations

import os
from pathlib import Path

from impls.programs import pip

_ROOT = Path(__file__).resolve().parents[1]
_QUOTE = '"' if os.name == "nt" else "'"  # cmd.exe passes single quotes on


def install(extra: str) -> str:
    """Return the command that installs an extra of pyproject.toml, in a checkout without copying the code."""
    return f"{pip()} install {_package(extra)}"


def _package(extra: str) -> str:
    if not (_ROOT / "pyproject.toml").is_file():  # installed
        return f"{_QUOTE}epochbench[{extra}]{_QUOTE}"
    try:
        here = Path.cwd().samefile(_ROOT)
    except FileNotFoundError:  # the current directory was deleted
        here = False
    return f"-e {_QUOTE}{'.' if here else _ROOT}[{extra}]{_QUOTE}"
