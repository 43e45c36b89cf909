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
    """Run a command in this process and return its exit code and output.

    Check that it prints what its exit code promises: an error of one line with 2; with 3 an answer, a reason in one line, or both.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    errors = err.getvalue()
    reasons = [line for line in errors.splitlines() if not (line.startswith("machine ") and "the rows are from" in line)]
    assert all(line.startswith("epochbench: ") for line in reasons), errors
    assert errors.endswith("\n") or not errors, errors
    assert code in (0, 1, 2, 3), errors
    if code == 3:
        assert len(reasons) == 1 or (not reasons and out.getvalue().strip()), errors
    else:
        assert len(reasons) == {0: 0, 1: 0, 2: 1}[code], errors
    return code, out.getvalue()
