"""What a trainer changes in the process is restored, and what it leaves running is named, before the next case."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from bench.machine import affinity
from bench.measure.surroundings import kept
from tests.support.commands import QUICK, bench, command
from tests.support.runs import WRONG, posix, started, trainers_in

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins threads")


@linux
def test_a_changed_process_is_restored_and_the_change_is_named():
    processors, errors, warnings = affinity.processors(), np.geterr(), []
    with kept("a case", warnings):
        np.seterr(over="raise")
        os.sched_setaffinity(0, {processors[0]})
    assert (affinity.processors(), np.geterr()) == (processors, errors)
    (warning,) = warnings
    assert warning.startswith("a case: ")
    assert ("NumPy's error state" in warning, "its processors" in warning) == (True, len(processors) > 1)


def test_an_unchanged_process_gives_no_warning():
    warnings = []
    with kept("a case", warnings):
        np.dot(np.ones((300, 300)), np.ones((300, 300)))
    assert warnings == []


def test_a_thread_that_keeps_the_process_alive_is_named():
    warnings, end = [], threading.Event()
    with kept("a case", warnings):
        thread = threading.Thread(target=end.wait, name="patient")
        thread.start()
    end.set()
    thread.join()
    (warning,) = warnings
    assert "thread patient" in warning


@posix
@pytest.mark.parametrize(("name", "named"), [("worker", True), ("orted", False)])
def test_a_process_is_named_unless_it_is_a_daemon_of_mpi(tmp_path, name, named):
    program, warnings = tmp_path / name, []
    shutil.copy(shutil.which("sleep"), program)
    with kept("a case", warnings):
        process = subprocess.Popen([program, "60"])
    process.kill()
    process.wait()
    assert ["process worker" in warning for warning in warnings] == [True] * named


@linux
@pytest.mark.live
def test_a_run_names_what_its_trainers_leave_behind_and_ends(tmp_path):
    leftovers = {
        "ChangesTheProcess": "changed .*NumPy's error state",
        "SlowsTheClock": "changed time.perf_counter",
        "LeavesAThread": "left thread endless",
        "LeavesABusyThread": "left a busy thread",
    }
    trainers = ",".join(["loop", *(f"{WRONG}:{name}" for name in leftovers), "matrix"])
    output = bench(*QUICK, "--no-charts", "--trainers", trainers, "--results", tmp_path)
    assert output.returncode == 0, output.stdout
    for name, what in leftovers.items():
        assert re.search(f"^warning: nielsen-{WRONG}:{name}: {what}", output.stdout, re.MULTILINE), output.stdout
    assert len(trainers_in(tmp_path)) == 3 * 6


@posix
def test_a_thread_that_does_not_end_does_not_keep_a_stopped_run_alive(tmp_path):
    with started("--trainers", f"{WRONG}:LeavesAThread,{WRONG}:HangsWhileTimed", "--results", tmp_path) as process:
        while "LeavesAThread" not in (line := process.stdout.readline()) and line:
            pass
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 2


@posix
def test_a_thread_that_does_not_end_does_not_keep_train_alive(tmp_path):
    job = ("--examples", "400", "--threads", "1", "--epochs", "1", "--no-charts", "--results", tmp_path)
    output = command("train", *job, "--trainers", f"{WRONG}:LeavesAThread")
    assert output.returncode == 0, output.stderr
    assert "left thread endless" in output.stdout


@pytest.mark.live
def test_a_slower_clock_does_not_make_a_contender_faster(tmp_path):
    output = command("versus", f"{WRONG}:SlowsTheClock", "matrix", "--examples", "2000", "--seconds", "12", "--json")
    assert 0.7 < json.loads(output.stdout)["ratio"] < 1.4
