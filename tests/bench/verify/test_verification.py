"""Tests of the tests: verification and contract suite must catch trainers with one defect each."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from bench.verify.oracle import VerificationError, trained, trained_by
from bench.verify.rounding import TOLERANCE, distance
from bench.verify.verification import Verification, reference, steps, steps_oracle, whole_epoch
from bench.workload import WORKLOADS, Workload, grid
from impls import TRAINERS, load_trainer, unavailable
from impls.matrix import Matrix
from impls.testing import CHECKS, check_trainer
from tests.support.unsupported import or_skip
from tests.support.wrong_trainers import BREAK_THE_CONTRACT, COMPUTE_WRONG, NEARLY_RIGHT, WRONG_LATER, UpdatesTooEarly


def name_of(kind):
    return kind.__name__


@pytest.fixture(scope="module", params=["nielsen", "wide"])
def verification(request, mnist):
    return Verification(WORKLOADS[request.param], mnist)


@pytest.mark.parametrize("kind", COMPUTE_WRONG, ids=name_of)
def test_a_wrong_trainer_is_caught(verification, kind):
    with pytest.raises(VerificationError) as caught:
        verification.max_error(kind)
    assert caught.value.oracle == "loop"
    assert not caught.value.error <= TOLERANCE["float64"]


@pytest.mark.parametrize("workload", ["nielsen", "wide", "large", "deep"])
def test_a_nearly_right_trainer_is_caught_in_float32(mnist, workload):
    oracle = steps_oracle(WORKLOADS[workload], mnist)
    for kind in NEARLY_RIGHT:
        with pytest.raises(VerificationError):
            oracle.error(trained_by(kind, oracle.job))


class OffByAMillionthInFloat64(Matrix):
    def _update_mini_batch(self, examples):
        eta = self.learning_rate
        self.learning_rate *= 1 + 1e-6 * (self.dtype == "float64")
        super()._update_mini_batch(examples)
        self.learning_rate = eta


def test_float64_is_verified_too(verification):
    with pytest.raises(VerificationError, match="float64"):
        verification.max_error(OffByAMillionthInFloat64)


CHAOTIC = grid([1], [30])[0]  # mini-batches of 1 and large steps: rounding explains any distance


@pytest.fixture(scope="module", params=[CHAOTIC, WORKLOADS["nielsen"], WORKLOADS["wide"]], ids=lambda workload: workload.name)
def epoch(request, mnist):
    """A verification, and the job of its epoch."""
    workload = replace(request.param, examples=5000)
    return Verification(workload, mnist), whole_epoch(workload, mnist)


@pytest.mark.parametrize("kind", WRONG_LATER, ids=name_of)
def test_a_trainer_that_is_wrong_only_in_the_epoch_is_caught(epoch, kind):
    verification, job = epoch
    verification.max_error(kind)
    with pytest.raises(VerificationError):
        check_epoch(verification, job, kind)


def test_the_accuracy_after_a_chaotic_epoch_is_verified(epoch):
    verification, job = epoch
    verification.compute_epoch()
    wrong = trained("matrix", replace(job, data=replace(job.data, labels=(job.data.labels + 1) % 10)))
    with pytest.raises(VerificationError, match="accuracy" if job.batch_size == 1 else "distance"):
        verification.check_epoch(wrong)


@pytest.mark.parametrize("name", ["loop", "matrix_tuned", "compiled", "jax_cpu", "torch_cpu"])
def test_the_epoch_of_a_correct_trainer_passes(epoch, name):
    if unavailable(name):
        pytest.skip(unavailable(name))
    check_epoch(*epoch, load_trainer(name))


def test_the_epoch_of_a_large_workload_is_verified_by_a_gpu_that_is_verified(mnist, monkeypatch):
    monkeypatch.setattr("bench.verify.verification._MATRIX_FLOPS", 1e6)
    workload = replace(WORKLOADS["nielsen"], examples=1000)
    for stand_in, wrong in (("impls.matrix_tuned:MatrixTuned", False), ("tests.support.wrong_trainers:Backwards", True)):
        monkeypatch.setitem(TRAINERS, "gpu", stand_in)
        verification = Verification(workload, mnist)
        verification.compute_epoch()
        assert (verification.epoch.name, verification.calm) == ("matrix" if wrong else "gpu", None)
        check_epoch(verification, whole_epoch(workload, mnist), load_trainer("matrix"))
    assert reference((784, 4096, 4096, 10), 50_000, gpu=False) == "matrix"


def check_epoch(verification, job, kind):
    verification.check_epoch(trained_by(kind, job))
    verification.check_calm_epoch(kind)


@functools.cache
def failed_checks(kind):
    """Return the names of the checks that a trainer fails."""
    try:
        check_trainer(kind)
    except AssertionError as failure:
        names = {line.strip().partition(":")[0] for line in str(failure).splitlines()}
        return {str(check) for check in CHECKS} & names
    return set()


@pytest.mark.parametrize("kind", [*COMPUTE_WRONG, *BREAK_THE_CONTRACT], ids=lambda kind: kind.__name__)
def test_a_wrong_trainer_fails_the_contract_suite(kind):
    assert failed_checks(kind)


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_every_check_catches_a_wrong_trainer(check):
    assert [kind.__name__ for kind in (*COMPUTE_WRONG, *BREAK_THE_CONTRACT) if str(check) in failed_checks(kind)]


RIGHT = [name for name in (*TRAINERS, "tests.support.book:Book") if unavailable(name) is None]


@pytest.mark.parametrize("name", RIGHT)
def test_a_correct_trainer_passes(verification, name):
    assert verification.max_error(or_skip(load_trainer(name))) < 2e-5


@pytest.fixture(scope="module", params=[(1000, 0.2, 2500), (50_000, 0.1, None)], ids=["batch 1000", "batch 50000"])
def large_batch(request, mnist):
    """A job with large mini-batches and small steps, its result in float64, and 5 times the error of `loop` or `matrix`."""
    batch_size, learning_rate, examples = request.param
    job = whole_epoch(Workload("large batch", (30,), batch_size, learning_rate, examples=examples), mnist)
    exact = trained("matrix", job.astype(np.float64))
    return job, exact, 5 * max(distance(trained(name, job), exact, job.start) for name in ("loop", "matrix"))


@pytest.mark.parametrize("name", RIGHT)
def test_small_gradients_of_a_large_mini_batch_are_not_lost(large_batch, name):
    job, exact, allowed = large_batch
    assert distance(trained_by(or_skip(load_trainer(name)), job), exact, job.start) <= allowed


def test_steps_that_are_small_relative_to_the_weights_are_verified(mnist):
    workload = Workload("short steps", (30,), batch_size=100, learning_rate=2e-4)  # rounding loses 1 to 3 % of the distance
    oracle = steps_oracle(workload, mnist)
    for name in RIGHT:
        assert oracle.error(trained_by(or_skip(load_trainer(name)), oracle.job)) < 1e-5
    for kind in set(COMPUTE_WRONG) - {UpdatesTooEarly}:  # its error is a part of a step, so small steps hide it
        with pytest.raises(VerificationError):
            oracle.error(trained_by(kind, oracle.job))


def test_matrix_must_match_loop_to_be_the_oracle(mnist, monkeypatch):
    workload = Workload("slow", (30,), batch_size=1000, learning_rate=1.0)
    monkeypatch.setattr("bench.verify.verification._LOOP_FLOPS", 20e6)  # 100 of the 2,500 examples

    def twice_as_far(name, job):
        return trained(name, replace(job, learning_rate=2 * job.learning_rate) if name == "matrix" else job)

    oracle = steps_oracle(workload, mnist)
    assert oracle.error(trained("loop", oracle.job)) < 1e-5
    with pytest.raises(VerificationError, match=r"\b2500\b") as caught:
        oracle.error(twice_as_far("matrix", steps(workload, mnist)))
    assert caught.value.oracle == "matrix"
    with pytest.raises(VerificationError, match=r"^matrix\b.* loop\b") as caught:
        steps_oracle(workload, mnist, twice_as_far)
    assert caught.value.oracle == "loop"


def test_matrix_must_be_right_in_the_dtype_of_the_workload(mnist):
    def wrong_in_float32(name, job):
        return trained(name, replace(job, learning_rate=1.1 * job.learning_rate) if job.start.dtype == "float32" else job)

    with pytest.raises(VerificationError, match=r"^matrix\b.* loop\b"):
        steps_oracle(WORKLOADS["wide"], mnist, wrong_in_float32)
