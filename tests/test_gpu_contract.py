"""The trainers' contract, held without a GPU: host code on the stand-in for CuPy, kernels played on the CPU.

Of its tests those that see more than the base class, which is the same for every trainer.
"""

import pytest

from tests.device import FusedOnCpu, GpuOnCpu, GraphOnCpu, needs_compiler
from tests.test_trainers import (  # noqa: F401 (collected here once more, for other trainers)
    or_skip,
    test_a_step_is_minus_eta_times_the_finite_difference_gradient,
    test_a_step_worked_out_by_hand,
    test_an_order_may_be_of_any_whole_type,
    test_any_depth_and_batch_size_agrees_with_one_step_at_a_time,
    test_nothing_of_the_callers_is_changed_and_nothing_of_it_is_kept,
    test_same_arguments_same_bits_and_load_goes_back_to_the_start,
)

pytestmark = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(or_skip(GpuOnCpu), id="gpu"),
        pytest.param(or_skip(GraphOnCpu), id="gpu_graph", marks=needs_compiler),
        pytest.param(or_skip(FusedOnCpu), id="gpu_fused", marks=needs_compiler),
    ],
)
