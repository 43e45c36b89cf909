"""Epochs that the recorder accepts, for a trainer of known work and a machine of known peaks."""

import numpy as np
import pytest

from bench.machine.clock import Clock
from bench.machine.identity import describe
from bench.machine.load import Shares
from bench.machine.roofline import Peaks, epoch_work
from bench.measure.case import Case
from bench.measure.conditions import Conditions
from bench.measure.provenance import Code
from bench.measure.recorder import Epochs, Recorder, RunColumns
from bench.records import Writer
from bench.verify.contract import EarlyReturnError
from bench.workload import WORKLOADS
from impls import Dataset
from impls.matrix import Matrix

PEAKS = Peaks(flops=1e9, bytes=1e12)


def record(directory, times_the_floor):
    """Record three epochs of matrix, each `times_the_floor` times as long as its operations at the peak."""
    workload = WORKLOADS["nielsen"]
    data = Dataset(np.ones((20, 784)), np.zeros(20, int), classes=10)
    trainer = Matrix(workload.network(data), data, batch_size=10, learning_rate=3.0)
    columns = RunColumns("run", "2026-01-01T00:00:00+00:00", "timing", "mnist", 1, describe("here"), {"matrix": Code("", None)})
    recorder = Recorder(columns, Writer(directory / "run.csv"), Clock(tick=1e-9, reading=1e-9))
    seconds = times_the_floor * epoch_work((784, 30, 10), 20, 4).flops / PEAKS.flops
    epochs = Epochs([seconds] * 3, [0.9] * 3, 0.0, Conditions(Shares(0.0, 0.0)))
    recorder.record(Case(workload, "matrix"), trainer, data, epochs, all_ranks=PEAKS)
    return recorder


def test_impossibly_fast_epochs_raise_early_return_error(tmp_path):
    with pytest.raises(EarlyReturnError, match=r"[\d.]+ [mu]?s .* [\d.]+ [mu]?s\b"):
        record(tmp_path, 0.3)


def test_epochs_below_the_floor_are_kept_with_a_warning(tmp_path):
    recorder = record(tmp_path, 0.5)
    assert len(recorder.rows) == 3
    (warning,) = recorder.warnings
    assert warning.startswith("nielsen-matrix: exceeded the measured peak")


def test_slower_epochs_are_kept(tmp_path):
    recorder = record(tmp_path, 20)
    assert [row.fraction_of_limit for row in recorder.rows] == [pytest.approx(1 / 20)] * 3
    assert recorder.warnings == []
