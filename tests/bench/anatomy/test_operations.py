"""Operations of matrix_tuned, timed one by one."""

from itertools import pairwise

import numpy as np
import pytest

from bench.anatomy import operations
from bench.anatomy.operations import BACKWARD, FORWARD, KINDS, WEIGHTS
from bench.verify.epoch_job import EpochJob
from impls import Dataset, Network, load_trainer
from impls.matrix_tuned import MatrixTuned

LAYERS, M, STEPS = (20, 15, 15, 10), 8, 6
PADDED = (24, 16, 16, 16)  # with the unit that is always 1, multiples of 8


@pytest.fixture(scope="module")
def job():
    rng = np.random.default_rng(0)
    data = Dataset(rng.random((M * STEPS, LAYERS[0]), np.float32), rng.integers(0, 10, M * STEPS), classes=10)
    return EpochJob(Network.scaled(LAYERS), data, data.order(seed=0), M, 0.5)


def test_every_operation_of_a_step_is_counted_once(job):
    found = operations.measure("matrix_tuned", MatrixTuned, job)
    kinds = {one.kind: one for one in found.kinds}
    assert list(kinds) == [kind for kind in KINDS if kind != "other"]
    calls = {kind: one.calls for kind, one in kinds.items() if kind != "gather"}
    layers, expected = len(LAYERS) - 1, {FORWARD: 1, "sigmoid": 4, "sigmoid derivative": 3, WEIGHTS: 1}
    assert {kind: calls[kind] for kind in expected} == {kind: STEPS * layers * each for kind, each in expected.items()}
    assert calls[BACKWARD] == STEPS * (layers - 1)
    assert (calls["cost derivative"], calls["update"]) == (2 * STEPS, STEPS)
    weights = [below * above for below, above in pairwise(PADDED)]
    assert kinds[FORWARD].flops == kinds[WEIGHTS].flops == 2 * M * STEPS * sum(weights)
    assert kinds[BACKWARD].flops == 2 * M * STEPS * sum(weights[1:])
    assert kinds["update"].bytes == STEPS * 3 * 4 * sum(weights)
    assert all(one.seconds > 0 for one in found.kinds)
    assert found.epoch > 0


def test_a_trainer_whose_operations_are_timed_computes_the_same(job):
    observed = operations._observed(MatrixTuned, operations._Watch())
    ends = []
    for trainer in (MatrixTuned, observed):
        one = trainer(job.start, job.data, batch_size=M, learning_rate=0.5)
        one.train_epoch(job.order)
        ends.append(one.network())
    assert all((a == b).all() for a, b in zip(*(end.weights for end in ends), strict=True))


def test_only_numpys_lists_of_operations_are_timed():
    assert [operations.has_operations(load_trainer(name)) for name in ("loop", "matrix", "matrix_tuned")] == [False, False, True]


def test_a_disturbance_while_the_cost_of_timing_is_measured_does_not_count(monkeypatch):
    now = [0.0]

    def clock():
        now[0] += 1e-7 if round(now[0] * 1e7) != 300 else 0.05  # one long interruption
        return now[0]

    monkeypatch.setattr(operations, "perf_counter", clock)
    assert operations._cost_of_timing() == pytest.approx(1e-7)


def test_a_call_with_a_number_among_its_arguments_is_timed_too(job):
    class Scaled(MatrixTuned):
        def _update_mini_batch(self, xp, x, y, layers):
            super()._update_mini_batch(xp, x, y, layers)
            xp.record(np.multiply, self._parameters.flat, 1.0, self._parameters.flat)

    kinds = [one.kind for one in operations.measure("scaled", Scaled, job).kinds]
    assert kinds[-1] == "other"
