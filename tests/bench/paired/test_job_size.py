"""The number of examples of a duel."""

import pytest

from bench.paired.job_size import short_rounds
from bench.verify.epoch_job import EpochJob
from bench.workload import named


@pytest.mark.parametrize(("seconds_an_example", "examples"), [(1e-5, 4000), (1e-9, 50_000), (1.0, 2000)])
def test_the_number_of_examples_makes_a_round_short(tmp_path, mnist, seconds_an_example, examples):
    job = tmp_path / "job.npz"
    workload = short_rounds(named("nielsen"), mnist, lambda: seconds_an_example * len(EpochJob.read(job).order), job)
    assert workload.examples == len(EpochJob.read(job).order)
    assert workload.examples == pytest.approx(examples, rel=0.4)  # the tolerance of short_rounds
    assert workload.examples % workload.batch_size == 0
