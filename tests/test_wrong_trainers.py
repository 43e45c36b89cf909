"""Tests of the tests: trainers with one defect each, which the verification in front of every timing must catch."""

from dataclasses import replace

import numpy as np
import pytest

from bench.verify.oracle import Oracle, VerificationError, steps, trained
from bench.workload import WORKLOADS, Workload
from impls import TRAINERS, Network, load_trainer, unavailable
from impls.loop import Loop
from tests.book import Book
from tests.test_trainers import or_skip


class WithoutTheMean(Loop):
    def _update_mini_batch(self, examples):
        self.learning_rate *= len(examples)
        super()._update_mini_batch(examples)
        self.learning_rate /= len(examples)


class ShortBatchOverWholeSize(Loop):
    def _update_mini_batch(self, examples):
        eta, self.learning_rate = self.learning_rate, self.learning_rate * len(examples) / self.batch_size
        super()._update_mini_batch(examples)
        self.learning_rate = eta


class SkipsTheShortBatch(Loop):
    def _epoch(self, order):
        super()._epoch(order[: len(order) // self.batch_size * self.batch_size])


class StaleBias(Loop):
    def _update_mini_batch(self, examples):
        kept = [b.copy() for b in self._biases]
        super()._update_mini_batch(examples)
        self._biases[0][...] = kept[0]


class LearningRateOff(Loop):
    def _update_mini_batch(self, examples):
        eta, self.learning_rate = self.learning_rate, self.learning_rate * 1.01
        super()._update_mini_batch(examples)
        self.learning_rate = eta


class FileOrder(Loop):
    def _epoch(self, order):
        super()._epoch(np.sort(order))


class ForgetsAnExample(Loop):
    def _epoch(self, order):
        super()._epoch(np.concatenate([order[:1], order[:1], order[2:]]))


class SkipsSigmoidPrime(Loop):
    def _backprop(self, x, y):
        gradients = super()._backprop(x, y)
        w, b = gradients[0]
        return [(w * 1.1, b * 1.1), *gradients[1:]]


class UpdatesTooEarly(Book):
    def backprop(self, x, y):
        nabla_b, nabla_w = super().backprop(x, y)
        kept = self.weights[-1]
        self.weights[-1] = kept - self.learning_rate * nabla_w[-1]
        nabla_b[0], nabla_w[0] = (gradients[0] for gradients in super().backprop(x, y))
        self.weights[-1] = kept
        return nabla_b, nabla_w


class ReturnsBeforeItsWorkIsDone(Loop):
    def _epoch(self, order):
        self._started = order  # to be done some time: nobody waits for it


class NotANumber(Loop):
    def network(self):
        network = super().network()
        network.weights[0][0, 0] = np.nan
        return network


class HalfPrecision(Loop):
    def network(self):
        return Network([w.astype("f2").astype(w.dtype) for w in self._weights], self._biases)


WRONG = [kind for kind in list(globals().values()) if isinstance(kind, type) and kind.__module__ == __name__]


@pytest.fixture(scope="module", params=["nielsen", "wide"])
def oracle(request, mnist):
    return Oracle(WORKLOADS[request.param], mnist)


@pytest.mark.parametrize("kind", WRONG, ids=lambda kind: kind.__name__)
def test_a_wrong_trainer_is_caught(oracle, kind):
    with pytest.raises(VerificationError, match="does not compute what the float64 loop computes"):
        oracle.max_error(kind)


RIGHT = [name for name in (*TRAINERS, "tests.book:Book") if unavailable(name) is None]


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_trainer_is_not(oracle, name):
    assert oracle.max_error(or_skip(load_trainer(name))) < 1e-4


@pytest.mark.parametrize("name", RIGHT)
def test_the_small_errors_of_a_large_mini_batch_are_not_lost(mnist, name):
    oracle = Oracle(Workload("large batch", (64,), batch_size=1000, learning_rate=0.2), mnist)
    assert oracle.max_error(or_skip(load_trainer(name))) < 2e-4  # added one by one to weights and biases they would be off by 3e-2


def test_matrix_is_no_oracle_by_its_own_word(mnist, monkeypatch):
    workload = Workload("for minutes", (30,), batch_size=1000, learning_rate=1.0)
    monkeypatch.setattr("bench.verify.oracle._LOOP_FLOPS", 20e6)  # a hundred examples of 2,500

    def twice_as_far(name, job):
        return trained(name, replace(job, learning_rate=2 * job.learning_rate) if name == "matrix" else job)

    oracle = Oracle(workload, mnist)
    assert oracle.max_error(load_trainer("loop")) < 1e-3
    with pytest.raises(VerificationError, match=r"^does not compute what the float64 matrix computes: after 2500 examples"):
        oracle.error(twice_as_far("matrix", steps(workload, mnist)))
    with pytest.raises(VerificationError, match=r"^matrix, the oracle of so large a workload, does not compute what the float64 loop"):
        Oracle(workload, mnist, twice_as_far)
