"""The commands that install optional libraries."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = "." if (Path(__file__).resolve().parents[1] / "pyproject.toml").is_file() else "epochbench"  # in a clone, or installed


def install(extra: str) -> str:
    """Return the command that installs an extra of pyproject.toml."""
    return f"pip install '{_PACKAGE}[{extra}]'"
