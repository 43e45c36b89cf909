"""Tests of `run_lines`: its callback for each line, its timeout, and its cleanup."""

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


def test_every_line_is_passed_on_and_the_exit_code_is_returned():
    lines = []
    how = ended("import sys; print('one'); print('two', file=sys.stderr); sys.exit(7)", line=lines.append)
    assert (how.code, how.stopped, sorted(lines)) == (7, False, ["one", "two"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows kills a process without a signal that it can handle")
def test_a_command_gets_sigterm_after_the_timeout(monkeypatch):
    lines = []
    clock = SimpleNamespace(monotonic=lambda: 100.0 if lines else 0.0)  # times out as soon as the command has installed its handler
    monkeypatch.setattr(line_runner, "time", clock)
    program = (
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit('saved'))\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    how = ended(program, line=lines.append)
    assert how.stopped
    assert how.tail == ("ready", "saved")


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux can orphaned descendants be found")
def test_descendants_are_killed_and_do_not_delay_the_return():
    program = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True)"
    lines, begin = [], time.monotonic()
    how = ended(program, line=lines.append)
    assert (how.code, how.stopped) == (0, False)
    assert time.monotonic() - begin < 30
    assert not psutil.pid_exists(int(lines[0]))


def test_an_exception_in_the_callback_ends_the_command():
    def fail(line):
        lines.append(line)
        raise ArithmeticError

    lines = []
    with pytest.raises(ArithmeticError):
        ended("import os, time; print(os.getpid(), flush=True); time.sleep(600)", line=fail)
    assert not psutil.pid_exists(int(lines[0]))
