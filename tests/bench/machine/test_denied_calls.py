"""A run goes on without what a sandbox denies or hides."""

import errno
import os
import time

import psutil
import pytest

from bench.machine import affinity, load, memory
from bench.machine.identity import describe
from bench.machine.load import Meter, Shares
from bench.system import files
from bench.system.child import Child
from tests.support.commands import QUICK, bench


def denied(*arguments, **options):
    raise PermissionError(errno.EPERM, "Operation not permitted")


def hidden(*arguments, **options):
    raise psutil.AccessDenied


def test_without_the_right_to_pin_the_libraries_are_still_limited(monkeypatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(psutil.Process, "threads", hidden)
    monkeypatch.setattr(affinity.threadpoolctl, "threadpool_limits", lambda threads: None)
    if hasattr(os, "sched_setaffinity"):
        monkeypatch.setattr(os, "sched_setaffinity", denied)
        assert not affinity.pin([0])
    assert affinity.limit_threads(1) == 1
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(not hasattr(psutil.Process, "cpu_affinity"), reason="the system has no affinity")
def test_all_processors_are_available_if_the_system_does_not_tell(monkeypatch):
    monkeypatch.setattr(psutil.Process, "cpu_affinity", hidden)
    assert affinity.available() == os.cpu_count()


def test_hidden_counters_give_unknown_values(monkeypatch):
    for function in ("virtual_memory", "cpu_count", "cpu_times"):
        monkeypatch.setattr(psutil, function, denied)
    machine = describe()
    assert machine.memory_gib == 0.0
    assert machine.cores == os.cpu_count()
    assert memory.of_machine().free > 1 << 40
    monkeypatch.setattr(load, "_LEAST_SECONDS", 0)
    assert Meter().shares() == Shares()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_a_process_with_a_hidden_list_of_threads_is_pinned(monkeypatch):
    monkeypatch.setattr(psutil.Process, "threads", hidden)
    before = affinity.processors()
    try:
        assert affinity.pin(before[:1])
        assert affinity.processors() == before[:1]
    finally:
        affinity.pin(before)


@pytest.mark.parametrize(("number", "raised"), [(errno.EINVAL, False), (errno.ENOSYS, False), (errno.EIO, True), (errno.ENOSPC, True)])
def test_a_file_system_that_cannot_sync_keeps_the_file_and_a_failing_disk_raises(tmp_path, monkeypatch, number, raised):
    def fails(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    if raised:
        with pytest.raises(OSError, match=os.strerror(number)):
            files.atomic_write(tmp_path / "file", "text")
    else:
        files.atomic_write(tmp_path / "file", "text")
        assert (tmp_path / "file").read_text() == "text"


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="the system has no process groups")
def test_a_child_is_suspended_and_ended_without_the_right_to_signal_its_group(monkeypatch):
    monkeypatch.setattr(os, "killpg", denied)
    monkeypatch.setattr(psutil.Process, "children", hidden)
    with Child(["sleep", "60"], env=os.environ) as child:
        process = psutil.Process(child._popen.pid)
        child.suspend()
        deadline = time.monotonic() + 10
        while process.status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < deadline
        child.resume()
    assert child.poll() is not None


DENY = """
import os, psutil

def denied(*arguments, **options):
    raise PermissionError(1, "Operation not permitted")

os.sched_setaffinity = os.fsync = psutil.virtual_memory = psutil.cpu_times = denied
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux denies single calls")
def test_a_run_in_a_sandbox_has_its_rows_and_says_what_it_could_not_do(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(DENY)
    options = (*QUICK, "--trainers", "matrix", "--no-charts", "--results", tmp_path / "results")
    output = bench(*options, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert output.returncode == 0, output.stdout + output.stderr
    assert len(next((tmp_path / "results").iterdir()).read_text().splitlines()) == 4
    assert "affinity: the system does not let a process choose its processors" in output.stdout
