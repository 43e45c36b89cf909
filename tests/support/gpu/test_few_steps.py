"""Tests of tests/support/gpu/few_steps.py on the stand-in for CuPy."""

import numpy as np
import pytest

from impls import load_trainer
from tests.support.gpu import few_steps
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import ON_CPU, FusedOnCpu

RNG = np.random.default_rng(0)


@needs_compiler
def test_correct_kernels_pass(capsys):
    assert few_steps.main(["gpu_fused,gpu_graph", "--examples", "4"], ON_CPU) == 0
    assert capsys.readouterr().out.count("right") == 2 * 3


@needs_compiler
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda array: array * 1.01, id="wrong"),
        pytest.param(lambda array: array * np.nan, id="NaN"),
        pytest.param(lambda array: array + 1e-7 * RNG.random(), id="other bits every time"),
    ],
)
def test_kernels_that_are_wrong_or_differ_between_two_runs_fail(change):
    class Wrong(FusedOnCpu):
        def network(self):
            network = super().network()
            network.weights[1][...] = change(network.weights[1])
            return network

    assert few_steps.main(["gpu_fused", "--examples", "4"], ON_CPU | {"gpu_fused": Wrong}) == 1


@needs_compiler
def test_a_long_job_compares_only_the_bits_of_two_runs(monkeypatch, capsys):
    monkeypatch.setattr(few_steps, "COMPARED", 3)
    assert few_steps.main(["gpu_fused", "--examples", "4"], ON_CPU) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("gpu_fused nielsen: ")
    assert "the same bits" in line
    assert "error" not in line


def test_an_unknown_trainer_is_an_error(capsys):
    assert few_steps.main(["gpu_fuse"], ON_CPU) == 2
    assert "gpu_fuse" in capsys.readouterr().err


@pytest.mark.skipif(load_trainer("gpu").unavailable() is None, reason="needs a machine without a GPU")
def test_without_a_gpu_it_prints_the_reason(capsys):
    assert few_steps.main([]) == 2
    assert load_trainer("gpu").unavailable() in capsys.readouterr().err
