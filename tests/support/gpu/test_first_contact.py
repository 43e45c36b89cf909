"""Tests of tests/support/gpu/first_contact.py without a GPU: its commands, a short run, and hanging or interrupted steps."""

import argparse
import importlib.util
import signal
import subprocess
import sys
import tarfile
import time

import psutil
import pytest

import bench.__main__
from bench.options import declare, parse
from tests.support.commands import ROOT, run
from tests.support.gpu import first_contact
from tests.support.gpu.stages import STAGES, Context, Step

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the script is for Linux")


@pytest.mark.parametrize("stage", STAGES)
def test_the_commands_of_a_stage_exist(stage):
    options = argparse.ArgumentParser()
    declare(options.add_argument)
    for step in (step for group in STAGES[stage](Context(ROOT / "out")) for step in group):
        assert all((ROOT / word).exists() for word in step.command if word.startswith("tests/"))
        if sys.executable not in step.command or "-c" in step.command:
            continue
        _, module, *given = step.command[step.command.index(sys.executable) + 1 :]
        assert importlib.util.find_spec(module), module
        if (module, given[:1]) == ("pytest", ["bench"]):
            parse(options.parse_args(given[given.index("--no-charts") :]), results=ROOT)
        elif module == "bench":
            bench.__main__._parser().parse_args(given)


@on_linux
def test_facts_smoke_and_main_run_without_a_gpu_and_are_in_the_archive(tmp_path):
    ended = run("tests.support.gpu.first_contact", "facts", "smoke", "main", "--quick", "--out", tmp_path)
    assert ended.returncode == 0, ended.stdout
    with tarfile.open(tmp_path / "first-contact.tar.gz") as packed:
        names = packed.getnames()
        assert ended.stdout.startswith(packed.extractfile("summary.txt").read().decode())
    assert {"logs/machine.log", "logs/smoke.log", "logs/main.log"} <= set(names)
    assert {name.split("/")[1] for name in names if name.endswith(".csv")} == {"smoke", "main"}
    assert not any(name.startswith("cache") for name in names)


def living(numbers):
    """Return the process ids of this list whose processes still run."""
    return [number for number in map(int, numbers) if psutil.pid_exists(number) and psutil.Process(number).status() != psutil.STATUS_ZOMBIE]


@on_linux
def test_a_timeout_ends_a_step_with_its_children_and_the_next_stage_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(first_contact, "GRACE", 0.2)
    stubborn = "trap '' TERM; echo $$; sleep 60 & echo $!; wait; sleep 60"
    monkeypatch.setitem(STAGES, "one", lambda context: [[Step("hangs", 2, ("sh", "-c", stubborn)), Step("fails", 9, ("false",))]])
    monkeypatch.setitem(STAGES, "two", lambda context: [[Step("absent", 9, ("no-such-program",)), Step("works", 9, ("echo", "yes"))]])
    started = first_contact.Run(tmp_path, limit=60)
    for name in ("one", "two"):
        started.stage(name)
    assert started.failed == ["hangs", "fails"]
    summary = (tmp_path / "summary.txt").read_text()
    assert "-- hangs: TIMEOUT" in summary
    assert "absent: no-such-program is not installed" in summary
    assert "yes" in summary.splitlines()
    numbers = (tmp_path / "logs" / "hangs.log").read_text().split()
    assert (len(numbers), living(numbers)) == (2, [])


@on_linux
def test_an_interrupted_run_ends_its_steps_and_packs(tmp_path):
    program = f"""
from tests.support.gpu import first_contact, stages
stages.STAGES["one"] = lambda context: [[stages.Step("sleeps", 60, ("sh", "-c", "echo $$; exec sleep 60"))]]
raise SystemExit(first_contact.main(["one", "--out", {str(tmp_path)!r}]))"""
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.DEVNULL)
    log = tmp_path / "logs" / "sleeps.log"
    while not (log.exists() and log.read_text()):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    assert living(log.read_text().split()) == []
    with tarfile.open(tmp_path / "first-contact.tar.gz") as packed:
        assert packed.extractfile("summary.txt").read().decode().endswith("interrupted\n")


@on_linux
def test_it_prints_the_stages_that_it_did_not_reach(tmp_path):
    ended = run("tests.support.gpu.first_contact", "facts", "grid", "--limit", "2", "--out", tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.splitlines()[-2].endswith(": facts grid")
    assert (tmp_path / "first-contact.tar.gz").exists()


def test_an_unknown_stage_is_an_error():
    with pytest.raises(SystemExit, match="2"):
        first_contact.main(["fact"])
