"""Tests of the trainers that split a mini-batch over MPI ranks."""

import pickle
import subprocess
import sys

import numpy as np
import pytest

from impls import Network, load_trainer
from impls.extras import install
from tests.support.commands import ROOT
from tests.support.mpi import mpiexec, needs_mpi


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """The results of tests/support/over_ranks.py on 4 ranks."""
    file = tmp_path_factory.mktemp("ranks") / "found.pickle"
    output = mpiexec(4, "tests/support/over_ranks.py", file)
    assert output.returncode == 0, output.stdout + output.stderr
    return pickle.loads(file.read_bytes())


@needs_mpi
@pytest.mark.parametrize(
    ("kind", "ranks"), [*(("Mpi", ranks) for ranks in (1, 2, 3, 4)), ("MpiGpuOnCpu", 1), ("MpiGpuOnCpu", 3), ("NcclOnCpu", 4)]
)
def test_any_number_of_ranks_matches_the_loop_and_all_ranks_end_with_the_same_bits(kept, kind, ranks):
    from tests.support.over_ranks import CASES, train

    for case in CASES:
        every = kept[kind, ranks, case]
        assert len(every) == ranks
        right = train(load_trainer("loop"), case).network()
        for mine, first, theirs in zip(*(zip(*every, strict=True), every[0], [*right.weights, *right.biases]), strict=True):
            assert all(np.array_equal(array, first) for array in mine), case
            # Only the order of summation differs, in up to 16 steps.
            np.testing.assert_allclose(first, theirs, rtol=1e-9, atol=1e-12, err_msg=case)


@needs_mpi
def test_each_rank_of_a_host_has_its_own_device_and_all_ranks_raise_if_there_are_too_few(kept):
    assert kept["devices"] == [0, 1, 2, 3]
    (reason,) = set(kept["refused"])
    assert len(kept["refused"]) == 4
    assert reason.startswith("mpi_gpu: 4 ranks on a host with 3 CUDA devices; ")


@needs_mpi
@pytest.mark.parametrize(("batch_size", "steps"), [(7, 4), (23, 1), (1, 23)])
def test_a_step_is_one_allreduce(small, batch_size, steps):
    class Two:
        size, rank, calls = 2, 0, 0

        def Allreduce(self, *_):
            self.calls += 1

    ranks = Two()
    trainer = load_trainer("mpi").over(ranks)(Network.scaled([6, 5, 4, 3]), small, batch_size=batch_size, learning_rate=1.0)
    assert ranks.calls == 0
    trainer.train_epoch(np.arange(23))
    assert ranks.calls == steps


@needs_mpi
@pytest.mark.parametrize("m", [1, 2, 3, 10, 11])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_the_shares_cover_a_mini_batch_and_differ_by_at_most_one_example(small, size, m):
    shares = []
    for rank in range(size):
        ranks = type("Ranks", (), {"size": size, "rank": rank})()
        trainer = load_trainer("mpi").over(ranks)(Network.scaled([6, 3]), small, batch_size=m, learning_rate=1.0)
        shares.append(list(range(m))[trainer._share(m)])
    assert [example for share in shares for example in share] == list(range(m))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def output_of(program):
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout


@needs_mpi
def test_listing_the_trainers_does_not_initialise_mpi():
    program = "import impls; [impls.unavailable(name) for name in ('mpi', 'mpi_gpu')]\nfrom mpi4py import MPI\nprint(MPI.Is_initialized())"
    assert output_of(program) == "False\n"


@pytest.mark.parametrize("name", ["mpi", "mpi_gpu"])
def test_without_mpi4py_the_trainer_explains_how_to_install_it(name):
    program = f"import sys; sys.modules['mpi4py'] = None\nimport impls\nprint(impls.unavailable({name!r}))"
    assert output_of(program) == f"mpi4py is not installed: {install('mpi')}\n"


@needs_mpi
def test_without_an_mpi_library_the_trainer_explains_how_to_install_one():
    program = "import sys; sys.modules['mpi4py.MPI'] = None\nimport impls\nprint(impls.unavailable('mpi'))"
    assert output_of(program).startswith("mpi4py: no MPI library (")
    assert install("mpi") in output_of(program)
