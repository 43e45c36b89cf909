"""Tests of the cost model of an epoch over ranks."""

import pytest

from bench.mpi.cost_model import Compute, Link, Model


def test_an_allreduce_takes_the_time_of_thakurs_formula():
    link = Link(alpha=1.0, beta=1e-6)
    assert link.allreduce(1, 8) == 0
    assert link.allreduce(4, 8) == pytest.approx(2 * (1 + 8e-6))  # recursive doubling
    assert link.allreduce(4, 1_000_000) == pytest.approx(2 * 2 * 1 + 2 * 3 / 4 * 1)  # reduce-scatter and allgather
    assert link.allreduce(5, 8) == pytest.approx(3 * (1 + 8e-6))


def test_a_fit_to_times_of_the_model_recovers_its_parameters():
    link, compute = Link(5e-6, 2e-9), Compute(2e-5, 3e-7)
    times = [(ranks, size, link.allreduce(ranks, size)) for ranks in (2, 4) for size in (8, 1024, 100_000)]
    link = Link.fitted(times)
    assert (link.alpha, link.beta) == pytest.approx((5e-6, 2e-9), rel=1e-9)
    steps = Compute.fitted([(share, compute.seconds(share)) for share in (1, 5, 10)])
    assert (steps.fixed, steps.example) == pytest.approx((2e-5, 3e-7), rel=1e-9)
    falling = Compute.fitted([(1, 2.0), (10, 1.0)])
    assert min(falling.fixed, falling.example) == 0, "no cost is negative"


def test_an_epoch_is_the_sum_of_its_steps_and_enough_is_where_doubling_saves_too_little():
    model = Model(Compute(1.0, 0.5), Link(0.25, 0.0), gradient=100_000, examples=23)
    # two steps of 10 and one of 3
    assert model.epoch(1, 10) == pytest.approx(2 * (1 + 5) + (1 + 1.5))
    assert model.epoch(4, 10) == pytest.approx(2 * (1 + 1.5) + (1 + 0.5) + 3 * 4 * 0.25)
    assert model.epoch(4, 10) < 0.95 * model.epoch(2, 10) < 0.95**2 * model.epoch(1, 10)
    assert model.epoch(8, 10) > 0.95 * model.epoch(4, 10)
    assert model.enough(10) == 4
