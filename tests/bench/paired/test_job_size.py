"""How many examples a duel takes."""

import pytest

from bench.paired.job_size import short_rounds
from bench.verify.epoch_job import EpochJob
from bench.workload import named


@pytest.mark.parametrize(("seconds_an_example", "examples"), [(1e-5, 4000), (1e-9, 50_000), (1.0, 20)])
def test_a_duel_takes_as_many_examples_as_make_a_short_round(tmp_path, mnist, seconds_an_example, examples):
    job = tmp_path / "job.npz"
    workload = short_rounds(named("nielsen"), mnist, lambda: seconds_an_example * len(EpochJob.read(job).order), job)
    assert workload.examples == len(EpochJob.read(job).order)
    assert workload.examples == pytest.approx(examples, rel=0.4)  # what it accepts as near enough
    assert workload.examples % workload.batch_size == 0
