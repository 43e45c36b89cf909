"""Tests of tests/support/gpu/probe.py on the stand-in for CuPy."""

import json
import subprocess
import sys
import time

import numpy as np

from bench.anatomy.stage_clocks import FUSED
from impls import Network, Unsupported
from tests.support.commands import ROOT
from tests.support.fake_stream import start
from tests.support.gpu import probe
from tests.support.gpu.variants import load_all, timed_epoch
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import ON_CPU, GpuOnCpu


@needs_compiler
def test_every_variant_of_a_trainer_is_compared_and_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "NODES", 10)
    monkeypatch.setattr(probe, "THREADS", (160,))
    monkeypatch.setattr(probe, "BLOCKS", (6,))
    file = tmp_path / "probe.json"
    assert probe.main(["--workload", "nielsen", "--examples", "12", "--rounds", "1", "--json", str(file)], ON_CPU) == 0
    results = json.loads(file.read_text())
    for name in load_all(ON_CPU):
        assert results[f"{name}, nielsen: error"] < 1e-4
        epoch = results[f"{name}, nielsen: epoch"]
        assert epoch["events_ms"] > 0
        assert epoch["wall_ms"] > 0
    assert results["gpu_fused of 160 threads, nielsen: epoch"]["fit"]["threads"] == 160
    assert results["gpu_lookahead of 6 blocks, nielsen: epoch"]["fit"]["blocks"] == 6
    assert results["gpu_graph and one_by_one, nielsen: same bits"] is True
    assert results["one_by_one: cost of a launch"].keys() == {"launch_us", "node_us"}
    assert results["grid, nielsen: clocks a step"][""]["step"] == len(FUSED)


def test_the_report_continues_after_a_failure(tmp_path):
    def unsupported():
        raise Unsupported("too wide")

    report = probe.Report(tmp_path / "probe.json")
    report.attempt("fails", lambda: 1 / 0)
    report.attempt("is unsupported", unsupported)
    report.attempt("works", lambda: 2)
    report.check("differs", False)
    assert report.failed == ["fails", "differs"]
    assert json.loads((tmp_path / "probe.json").read_text()) == report.results
    assert "ZeroDivisionError" in report.results["fails"]
    assert report.results["works"] == 2


def test_a_kernel_that_hangs_ends_the_script_at_its_limit():
    program = """
import time
from tests.support.trainers_on_cpu import ON_CPU
from tests.support.gpu import probe
probe.probe = lambda *arguments: time.sleep(60)
probe.main(["--limit", "0.2"], ON_CPU)"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=50)
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr


def test_the_devices_clock_includes_all_work_of_an_epoch(small):
    class Slow(GpuOnCpu):
        def _epoch(self, order):
            super()._epoch(order)
            start(lambda: time.sleep(0.05))

    trainer = Slow(Network.scaled([6, 5, 3]), small, batch_size=4, learning_rate=1.0)
    began = time.perf_counter()
    epoch = timed_epoch(trainer, np.arange(len(small)))
    assert 0.05 <= epoch.wall <= time.perf_counter() - began
    assert 0.05 <= epoch.events <= time.perf_counter() - began
