"""Tests of the tests: verification and contract suite must catch trainers with one defect each."""

import functools
from dataclasses import replace

import pytest

from bench.verify.oracle import Oracle, VerificationError, steps, trained
from bench.verify.rounding import TOLERANCE
from bench.workload import WORKLOADS, Workload
from impls import TRAINERS, load_trainer, unavailable
from impls.testing import CHECKS, check_trainer
from tests.support.unsupported import or_skip
from tests.support.wrong_trainers import BREAK_THE_CONTRACT, COMPUTE_WRONG, UpdatesTooEarly


@pytest.fixture(scope="module", params=["nielsen", "wide"])
def oracle(request, mnist):
    return Oracle(WORKLOADS[request.param], mnist)


@pytest.mark.parametrize("kind", COMPUTE_WRONG, ids=lambda kind: kind.__name__)
def test_a_wrong_trainer_is_caught(oracle, kind):
    with pytest.raises(VerificationError) as caught:
        oracle.max_error(kind)
    assert caught.value.oracle == "loop"
    assert not caught.value.error <= TOLERANCE["float32"]


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
def test_a_correct_trainer_passes(oracle, name):
    assert oracle.max_error(or_skip(load_trainer(name))) < 1e-4


@pytest.mark.parametrize("name", RIGHT)
def test_the_small_gradients_of_a_large_mini_batch_are_not_lost(mnist, name):
    oracle = Oracle(Workload("large batch", (64,), batch_size=1000, learning_rate=0.2), mnist)
    assert oracle.max_error(or_skip(load_trainer(name))) < 2e-4  # adding them one by one to the weights would give an error of 3e-2


def test_steps_that_are_small_relative_to_the_weights_are_verified(mnist):
    workload = Workload("short steps", (30,), batch_size=100, learning_rate=2e-4)  # rounding loses 1 to 3 % of the distance
    oracle = Oracle(workload, mnist)
    for name in RIGHT:
        assert oracle.max_error(or_skip(load_trainer(name))) < 5e-4
    for kind in set(COMPUTE_WRONG) - {UpdatesTooEarly}:  # its error is a part of a step, so small steps hide it
        with pytest.raises(VerificationError):
            oracle.max_error(kind)


def test_matrix_must_match_loop_to_be_the_oracle(mnist, monkeypatch):
    workload = Workload("slow", (30,), batch_size=1000, learning_rate=1.0)
    monkeypatch.setattr("bench.verify.oracle._LOOP_FLOPS", 20e6)  # 100 of the 2,500 examples

    def twice_as_far(name, job):
        return trained(name, replace(job, learning_rate=2 * job.learning_rate) if name == "matrix" else job)

    oracle = Oracle(workload, mnist)
    assert oracle.max_error(load_trainer("loop")) < 1e-3
    with pytest.raises(VerificationError, match=r"\b2500\b") as caught:
        oracle.error(twice_as_far("matrix", steps(workload, mnist)))
    assert caught.value.oracle == "matrix"
    with pytest.raises(VerificationError, match=r"^matrix\b.* loop\b") as caught:
        Oracle(workload, mnist, twice_as_far)
    assert caught.value.oracle == "loop"
