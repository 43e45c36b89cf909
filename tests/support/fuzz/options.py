"""Fuzz target for command lines."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
from pathlib import Path

from hypothesis import strategies as st

from bench.__main__ import _parser
from bench.options import declare, parse
from impls import InputError
from tests.support.fuzz.drawing import NUMBERS, text

BENCH = Path(__file__).parents[3] / "bench"

_NAMES = re.compile(r'"(--[a-z-]+|-o)"')
_DECLARING = (BENCH / "options.py", *sorted((BENCH / "commands").glob("*.py")))
_OPTIONS = [name for file in _DECLARING for name in _NAMES.findall(file.read_text(encoding="utf-8"))]
_COMMANDS = ("plot", "compare", "check", "report", "train", "versus", "gate", "machine", "")
_value = st.sampled_from((*NUMBERS, "1,10", "1,,2", "nielsen,wide", "loop,matrix", "K=V", "=", "95%", "1e-400%", "\ud800")) | text
_option = st.sampled_from(_OPTIONS)
command_lines = st.tuples(
    st.sampled_from(_COMMANDS), st.lists(_value | _option | st.tuples(_option, _value).map("=".join), max_size=6)
)  # fmt: skip


def options(command: tuple[str, list[str]], directory: Path) -> bool:
    """Parse the command line of `python -m bench` or `pytest bench`, and check the ranges of accepted options."""
    name, arguments = command
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            if name:
                given = _parser().parse_args([name, *arguments])
            else:
                shared = argparse.ArgumentParser()
                declare(shared.add_argument)
                given = shared.parse_args(arguments)
        parsed = parse(given, results=directory)
    except InputError:  # main escapes its text before it prints it, so the text is not checked here
        return False
    except SystemExit as usage:
        if usage.code not in (0, 2):
            raise
        return usage.code == 0
    for workload in parsed.workloads:
        for number in (
            workload.batch_size,
            *workload.hidden,
            workload.seed + 1,
            workload.examples or 1,
            parsed.rounds or 1,
            parsed.threads or 1,
        ):
            assert 1 <= number <= 2**63, "too large for a CSV column"
    return True
