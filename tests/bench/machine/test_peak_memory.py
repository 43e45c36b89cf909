"""Peak memory of a case beyond what the process had before it."""

import gc
import sys
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from bench.machine.peak_memory import MemoryUse, PeakMemory

MIB = 1 << 20


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux can reset the peak")
def test_memory_that_was_freed_before_the_end_counts_and_memory_from_before_does_not():
    before = np.ones(60 * MIB, np.uint8)
    peak = PeakMemory("numpy")
    during = np.ones(40 * MIB, np.uint8)
    del during
    assert peak.result().memory_bytes == pytest.approx(40 * MIB, abs=2 * MIB)
    del before
    peak = PeakMemory("numpy")  # what was just freed must not hide what is allocated now
    after = np.ones(50 * MIB, np.uint8)
    assert peak.result().memory_bytes == pytest.approx(50 * MIB, abs=2 * MIB)
    del after


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux can reset the peak")
def test_garbage_that_is_collected_during_the_measurement_hides_nothing():
    gc.collect()
    cycle = [np.ones(60 * MIB, np.uint8)]
    cycle.append(cycle)
    del cycle
    peak = PeakMemory("numpy")
    gc.collect()
    during = np.ones(40 * MIB, np.uint8)
    assert peak.result().memory_bytes == pytest.approx(40 * MIB, abs=2 * MIB)
    del during


def test_a_system_that_does_not_show_it_leaves_it_unknown(tmp_path):
    assert PeakMemory("numpy", tmp_path / "none").result() == MemoryUse(None, None)


def test_the_peak_of_a_gpu_is_that_of_the_pool_of_the_trainers_library(tmp_path, monkeypatch):
    pool = SimpleNamespace(taken=700 * MIB)
    pool.total_bytes = lambda: pool.taken
    pool.free_all_blocks = lambda: setattr(pool, "taken", 100 * MIB)
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(get_default_memory_pool=lambda: pool))
    assert PeakMemory("jax", tmp_path / "none").result() == MemoryUse(None, None), "it has a memory of its own"
    peak = PeakMemory("cupy", tmp_path / "none")
    pool.taken = 350 * MIB
    assert peak.result() == MemoryUse(None, 250 * MIB)
