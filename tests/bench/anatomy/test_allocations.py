"""Arrays that a trainer allocates in a step, counted by NumPy's own hook."""

import gc
import subprocess
import sys

import numpy as np
import pytest

from bench.anatomy.allocations import _counted, arrays_per_step
from bench.anatomy.calls import Job
from impls import load_trainer
from impls.matrix_tuned import MatrixTuned
from tests.support.commands import ROOT

JOB = Job(depth=3, examples=50, batch_size=10, learning_rate=1.0, dtype="float32")


@pytest.mark.parametrize("depth", [3, 4])
def test_matrix_tuned_allocates_no_array_after_the_first_step(depth):
    assert arrays_per_step(MatrixTuned, JOB._replace(depth=depth)) == 0


def test_matrix_allocates_arrays_by_the_step_and_loop_by_the_example():
    matrix, loop = load_trainer("matrix"), load_trainer("loop")
    ten, twenty = JOB, JOB._replace(batch_size=20)
    assert arrays_per_step(matrix, ten) == arrays_per_step(matrix, twenty) > 0
    by_example = (arrays_per_step(loop, twenty) - arrays_per_step(loop, ten)) / 10
    assert by_example > 20  # 38 with NumPy 2.4


def test_one_more_array_in_a_step_is_one_more():
    class Wasteful(MatrixTuned):
        def _gather(self, rows, examples, out):
            np.empty(len(examples))
            super()._gather(rows, examples, out)

    class Tuned(MatrixTuned):
        cache = 1  # a gather for each step

    class Both(Wasteful, Tuned):
        pass

    assert arrays_per_step(Both, JOB) == arrays_per_step(Tuned, JOB) + 2  # it gathers images and labels


def test_trainers_that_do_not_use_numpys_arrays_are_not_counted():
    class Elsewhere(MatrixTuned):
        library = "torch"

    assert arrays_per_step(Elsewhere, JOB) is None


def test_counting_ends_and_arrays_from_then_live_on():
    with _counted() as count:
        kept = [np.arange(1000) for _ in range(5)]
    assert count == [5]
    kept.append(np.arange(1000))
    assert count == [5]
    assert all((one == np.arange(1000)).all() for one in kept)
    del kept
    gc.collect()


def test_arrays_that_still_exist_at_exit_do_no_harm():
    program = (
        "import numpy as np; from bench.anatomy.allocations import _counted\nwith _counted(): kept = [np.ones(10**6) for _ in range(9)]"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stderr == ""
