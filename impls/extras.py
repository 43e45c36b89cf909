"""The commands that install optional libraries."""

from __future__ import annotations

from pathlib import Path

from impls.programs import pip, quoted

_ROOT = Path(__file__).resolve().parents[1]


def install(extra: str) -> str:
    """Return the command that installs an extra of pyproject.toml, in a checkout without copying the code."""
    if not (_ROOT / "pyproject.toml").is_file():  # installed
        return f"{pip()} install {quoted(f'epochbench[{extra}]')}"
    try:
        here = Path.cwd().samefile(_ROOT)
    except FileNotFoundError:  # the current directory was deleted
        here = False
    place = "." if here else _ROOT
    return f"{pip()} install -e {quoted(f'{place}[{extra}]')}"
