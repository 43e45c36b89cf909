"""Tests of the tests: trainers with one defect each, which the verification and the contract suite must catch."""

import functools
from dataclasses import replace

import pytest

from bench.verify.oracle import Oracle, VerificationError, steps, trained
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
    with pytest.raises(VerificationError, match="does not compute what the float64 loop computes"):
        oracle.max_error(kind)


@functools.cache
def failed_checks(kind):
    """The checks that a trainer fails."""
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
def test_a_right_trainer_is_not(oracle, name):
    assert oracle.max_error(or_skip(load_trainer(name))) < 1e-4


@pytest.mark.parametrize("name", RIGHT)
def test_the_small_errors_of_a_large_mini_batch_are_not_lost(mnist, name):
    oracle = Oracle(Workload("large batch", (64,), batch_size=1000, learning_rate=0.2), mnist)
    assert oracle.max_error(or_skip(load_trainer(name))) < 2e-4  # added one by one to weights and biases they would be off by 3e-2


def test_steps_that_are_short_beside_the_weights_are_verified_too(mnist):
    workload = Workload("short steps", (30,), batch_size=100, learning_rate=2e-4)  # adding them rounds off 1 to 3 % of the distance
    oracle = Oracle(workload, mnist)
    for name in RIGHT:
        assert oracle.max_error(or_skip(load_trainer(name))) < 5e-4
    for kind in set(COMPUTE_WRONG) - {UpdatesTooEarly}:  # which is wrong by a part of a step, and so by less the shorter a step is
        with pytest.raises(VerificationError, match="does not compute what the float64 loop computes"):
            oracle.max_error(kind)


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
