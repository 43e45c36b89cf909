"""The contract suite for the GPU trainers without a GPU: host code on the stand-in for CuPy, kernels emulated on the CPU."""

import pytest

from impls.testing import CHECKS
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import FusedOnCpu, GpuOnCpu, GraphOnCpu, LookaheadOnCpu, TunedOnCpu
from tests.support.unsupported import run_or_skip

# 200 digits take too long for kernels that are emulated thread by thread.
SMALL = [check for check in CHECKS if str(check) != "check_twenty_steps_in_float32"]


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(GpuOnCpu, id="gpu"),
        pytest.param(TunedOnCpu, id="gpu_tuned"),
        pytest.param(GraphOnCpu, id="gpu_graph", marks=needs_compiler),
        pytest.param(FusedOnCpu, id="gpu_fused", marks=needs_compiler),
        pytest.param(LookaheadOnCpu, id="gpu_lookahead", marks=needs_compiler),
    ],
)
@pytest.mark.parametrize("check", SMALL, ids=str)
def test_contract(check, kind):
    run_or_skip(check, kind)
