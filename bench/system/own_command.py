"""How the user calls this suite from the current directory."""

from __future__ import annotations

from impls import programs


def own_command() -> str:
    """Return what to type for this suite's command, to which a subcommand is added."""
    return programs.call("epochbench") or f"{programs.python()} -m bench"
