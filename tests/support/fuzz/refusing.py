"""Checks for the form of an error: one short line."""

from __future__ import annotations

import contextlib
import io

from bench.__main__ import main
from impls import InputError


def check_one_line(error: InputError) -> None:
    assert str(error).isprintable(), ascii(str(error))
    assert len(str(error)) < 3000, f"{len(str(error)):,} characters of message"


def run_command(arguments: list[str]) -> tuple[int, str]:
    """Run a command in this process and return its exit code and output. Check that it prints an error as one line."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    errors = err.getvalue()
    assert code in (0, 1, 2, 3)
    *warnings, last = errors.splitlines() or [""]
    assert all(line.startswith("machine ") and "the rows are from" in line for line in warnings), errors
    assert code != 3 or out.getvalue().strip()  # the answer of `check` on a file whose cases were all disturbed
    assert code in (0, 1, 3) or (last.startswith("epochbench: ") and errors.endswith("\n")), errors
    return code, out.getvalue()
