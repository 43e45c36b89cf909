"""Line breaks at the width of a terminal, and none in a file."""

import os
import subprocess
import sys

import pytest

from tests.support.commands import ROOT

PRINT = "from bench.text.wrapping import wrapped; print(wrapped('warning: ' + 20 * 'six by ' + 60 * 'x'))"


def test_a_terminal_gets_lines_of_its_width_and_whole_words():
    ours, theirs = pytest.importorskip("pty", reason="this system has no pseudo-terminals").openpty()
    environment = {**os.environ, "COLUMNS": "50"}
    subprocess.run([sys.executable, "-c", PRINT], cwd=ROOT, stdout=theirs, env=environment, check=True)
    os.close(theirs)
    lines = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)
    assert [len(line) <= 50 for line in lines[:-1]] == [True] * (len(lines) - 1)
    assert lines[-1].strip() == 60 * "x"
    assert all(line.startswith("  six") for line in lines[1:-1])


def test_a_file_gets_one_line():
    output = subprocess.run([sys.executable, "-c", PRINT], cwd=ROOT, capture_output=True, encoding="utf-8", check=True).stdout
    assert output.count("\n") == 1
