"""Shell command that starts this suite from the current directory."""

from __future__ import annotations

from impls import programs


def own_command() -> str:
    """Return the command that starts this suite, without a subcommand."""
    return programs.call("epochbench") or f"{programs.python()} -m bench"
