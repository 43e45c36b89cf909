"""Allocations of memory for arrays in a step, counted by NumPy's own hook."""

import gc
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bench.anatomy.allocations import _counted, allocations_per_step
from bench.anatomy.calls import Job
from bench.system.signals import postponed
from impls import load_trainer
from impls.matrix_tuned import MatrixTuned
from tests.support.commands import ROOT

JOB = Job(depth=3, examples=50, batch_size=10, learning_rate=1.0, dtype="float32")


@pytest.mark.parametrize("depth", [3, 4])
def test_matrix_tuned_allocates_nothing_after_the_first_step(depth):
    assert allocations_per_step(MatrixTuned, JOB._replace(depth=depth)) == 0


def test_matrix_allocates_by_the_step_and_loop_by_the_example():
    matrix, loop = load_trainer("matrix"), load_trainer("loop")
    ten, twenty = JOB, JOB._replace(batch_size=20)
    assert allocations_per_step(matrix, ten) == allocations_per_step(matrix, twenty) > 0
    by_example = (allocations_per_step(loop, twenty) - allocations_per_step(loop, ten)) / 10
    assert by_example > 20  # 38 with NumPy 2.4


def test_one_more_array_in_a_step_is_one_more_allocation():
    class Wasteful(MatrixTuned):
        def _gather(self, rows, examples, out):
            np.empty(len(examples))
            super()._gather(rows, examples, out)

    class Tuned(MatrixTuned):
        cache = 1  # a gather for each step

    class Both(Wasteful, Tuned):
        pass

    assert allocations_per_step(Both, JOB) == allocations_per_step(Tuned, JOB) + 2  # it gathers images and labels


def test_trainers_that_do_not_use_numpys_arrays_are_not_counted():
    class Elsewhere(MatrixTuned):
        library = "torch"

    assert allocations_per_step(Elsewhere, JOB) is None


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


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
def test_a_signal_whose_handler_raises_comes_after_the_block_that_postpones_it():
    def stop(number, frame):
        raise TimeoutError

    before = signal.signal(signal.SIGUSR2, stop)
    done = []

    def block():
        with postponed("SIGINT", "SIGUSR2"):
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(0.01)
            done.append("the rest of the block")

    try:
        with pytest.raises(TimeoutError):
            block()
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert done == ["the rest of the block"]
