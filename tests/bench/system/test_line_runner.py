"""A command whose lines are passed on while it runs, and which is ended when its time is up."""

import os
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from bench.system import line_runner
from bench.system.line_runner import run_lines


def ended(program, seconds=60.0, line=lambda _: None):
    return run_lines([sys.executable, "-c", program], env=os.environ, seconds=seconds, line=line)


def test_lines_of_a_process_are_passed_on_and_its_end_is_known():
    lines = []
    how = ended("import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)", line=lines.append)
    assert (how.code, how.stopped, sorted(lines)) == (7, False, ["one", "two"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without its knowledge")
def test_a_command_is_asked_to_end_when_its_time_is_up(monkeypatch):
    lines = []
    clock = SimpleNamespace(monotonic=lambda: 100.0 if lines else 0.0)  # the time is up as soon as the command can be asked
    monkeypatch.setattr(line_runner, "time", clock)
    program = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    how = ended(program, line=lines.append)
    assert how.stopped
    assert how.tail == ("ready", "saved")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux finds what has outlived its parent")
def test_processes_that_a_command_leaves_are_ended_with_it_and_do_not_keep_it():
    program = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    lines, begin = [], time.monotonic()
    how = ended(program, line=lines.append)
    assert (how.code, how.stopped) == (0, False)
    assert time.monotonic() - begin < 30
    assert not psutil.pid_exists(int(lines[0]))


def test_what_a_line_raises_ends_the_command():
    def fail(line):
        lines.append(line)
        raise ArithmeticError

    lines = []
    with pytest.raises(ArithmeticError):
        ended("import os, time; print(os.getpid(), flush=True); time.sleep(600)", line=fail)
    assert not psutil.pid_exists(int(lines[0]))
