"""Calls of an epoch: measured on a tiny network, and fitted as costs of an epoch, a step and an example."""

import math
from typing import ClassVar

import numpy as np
import pytest

from bench.anatomy import calls
from bench.anatomy.calls import Job
from impls import Dataset, Network, Trainer, Unsupported, load_trainer

DATA = Dataset(np.ones((40, 1)), np.zeros(40, int))
JOB = Job(depth=4, examples=1003, batch_size=20, learning_rate=0.5, dtype="float32")


def clocked(monkeypatch, seconds, *, largest=10**9):
    """Return a trainer whose epochs take seconds(steps, examples, batch size) of a clock that only they advance."""
    now = [0.0]
    monkeypatch.setattr(calls, "perf_counter", lambda: now[0])

    class Clocked(Trainer):
        seen: ClassVar[list] = []

        def _setup(self, data):
            if self.batch_size > largest:
                raise Unsupported("too large")
            self.seen.append((self.layers, self.dtype.name, self.examples, self.batch_size, float(data.images.min())))

        def _set_weights(self, network):
            self._network = network

        def network(self):
            return self._network

        def _epoch(self, order):
            now[0] += seconds(-(-len(order) // self.batch_size), len(order), self.batch_size)

    return Clocked


def test_costs_per_epoch_step_and_example_are_recovered_and_predict_the_epoch_that_the_fit_did_not_use(monkeypatch):
    trainer = clocked(monkeypatch, lambda steps, examples, m: 3e-4 + 2e-5 * steps + 1e-7 * examples)
    measured = calls.measure(trainer, JOB)
    assert measured.seconds.value == pytest.approx(3e-4 + 51 * 2e-5 + 1003e-7)  # the last mini-batch is a step, too
    assert measured.predicted == pytest.approx(measured.seconds.value)
    assert measured.step.value == pytest.approx(2e-5)
    assert measured.example.value == pytest.approx(1e-7)
    assert measured.step.low < 2e-5 < measured.step.high
    assert measured.batch_sizes == (5, 10, 40, 80)


@pytest.mark.parametrize(("device", "units"), [("cpu", 2), ("gpu", 16)])
def test_the_tiny_network_has_as_many_layers_steps_and_examples(monkeypatch, device, units):
    trainer = clocked(monkeypatch, lambda steps, examples, m: 1e-4 * steps)
    trainer.device = device
    calls.measure(trainer, JOB)
    layers, dtypes, examples, batch_sizes, pixels = zip(*trainer.seen, strict=True)
    assert set(layers) == {(units,) * 4}
    assert set(dtypes) == {"float32"}
    assert (examples[0], batch_sizes[0]) == (1003, 20)
    assert 20 not in batch_sizes[1:]
    assert min(pixels) > 0, "a trainer may skip pixels of 0"


def test_a_cost_that_is_neither_per_step_nor_per_example_shows_as_an_error_of_the_fit(monkeypatch):
    trainer = clocked(monkeypatch, lambda steps, examples, m: 2e-5 * steps * (3 if m == 20 else 1))
    measured = calls.measure(trainer, JOB)
    assert measured.predicted == pytest.approx(measured.seconds.value / 3)


def test_a_machine_that_is_slower_while_the_calls_are_measured_does_not_matter(monkeypatch):
    cost = lambda steps, examples, m: 3e-4 + 2e-5 * steps + 1e-7 * examples  # noqa: E731
    slower = clocked(monkeypatch, lambda *counts: 1.8 * cost(*counts))
    usual = calls.Usual(
        lambda: slower(Network.scaled([1, 1]), DATA, batch_size=1, learning_rate=1.0).train_epoch(DATA.order(seed=0)), cost(40, 40, 1)
    )
    measured = calls.measure(slower, JOB, usual)
    assert measured.seconds.value == pytest.approx(3e-4 + 51 * 2e-5 + 1003e-7)
    assert measured.step.value == pytest.approx(2e-5)


@pytest.mark.parametrize(("examples", "batch_size"), [(1000, 1000), (1000, 400), (50, 20), (3, 2)])
def test_no_epoch_for_the_fit_is_longer_than_the_job(monkeypatch, examples, batch_size):
    trainer = clocked(monkeypatch, lambda steps, examples, m: 2e-5 * steps + 1e-3 * examples)
    calls.measure(trainer, JOB._replace(examples=examples, batch_size=batch_size))
    assert max(seen[2] for seen in trainer.seen) == examples


def test_mini_batches_that_a_trainer_does_not_support_are_left_out(monkeypatch):
    seconds = lambda steps, examples, m: 2e-5 * steps + 1e-7 * examples  # noqa: E731
    assert calls.measure(clocked(monkeypatch, seconds, largest=20), JOB).batch_sizes == (5, 10)
    with pytest.raises(Unsupported):
        calls.measure(clocked(monkeypatch, seconds, largest=10), JOB)


def test_without_two_other_mini_batch_sizes_there_is_no_fit(monkeypatch):
    trainer = clocked(monkeypatch, lambda steps, examples, m: 2e-5 * steps, largest=2)
    measured = calls.measure(trainer, JOB._replace(batch_size=2))
    assert measured.seconds.value == pytest.approx(502 * 2e-5)
    assert measured.batch_sizes == ()
    assert all(map(math.isnan, (measured.predicted, *measured.step, *measured.example)))


@pytest.mark.live
def test_loop_costs_more_per_example_and_matrix_more_per_step():
    job = Job(depth=3, examples=500, batch_size=10, learning_rate=1.0, dtype="float64")
    loop, matrix = (calls.measure(load_trainer(name), job) for name in ("loop", "matrix"))
    assert loop.example.value > 10 * matrix.example.value  # 16 us and 10 ns as measured
    assert matrix.step.value > 10 * matrix.example.value  # 25 us
