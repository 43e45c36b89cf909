"""Limits of rounding: even correct trainers end apart after many steps."""

from dataclasses import replace

import numpy as np
import pytest

from bench.verify.epoch_job import EpochJob
from bench.verify.oracle import trained
from bench.verify.rounding import TOLERANCE, beyond_rounding, distance, perturbed
from bench.workload import grid, named


def job(workload, splits, examples):
    workload = replace(workload, examples=examples)
    data = workload.data(splits)
    return EpochJob(workload.network(data), data, data.order(seed=0), workload.batch_size, workload.learning_rate)


@pytest.mark.parametrize(
    ("workload", "examples", "explained"),
    [(named("nielsen"), 4000, False), (grid([1], [30])[0], 500, True)],  # mini-batches of 1 and large steps: rounding explains any distance
    ids=["nielsen", "batch 1"],
)
def test_beyond_rounding_detects_skipped_mini_batches(mnist, workload, examples, explained):
    given = job(workload, mnist, examples)
    loop, matrix = trained("loop", given), trained("matrix_tuned", given)

    def again():
        start, order = perturbed(given.start, matrix, given.order, given.batch_size)
        return trained("matrix_tuned", replace(given, start=start, order=order))

    assert (distance(loop, matrix, given.start) > TOLERANCE["float32"]) == explained
    assert beyond_rounding(loop, matrix, given.start, again) is None
    fewer = trained("matrix_tuned", replace(given, order=np.concatenate([given.order[:-30], given.order[:30]])))
    assert (beyond_rounding(fewer, matrix, given.start, again) is None) == explained


def test_bitwise_equal_results_need_no_further_epoch(mnist):
    given = job(named("nielsen"), mnist, 100)
    result = trained("matrix_tuned", given)
    assert beyond_rounding(result, trained("matrix_tuned", given), given.start, lambda: pytest.fail("trained a further epoch")) is None
