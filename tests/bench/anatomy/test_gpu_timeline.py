"""Timeline of a GPU: launches, kernels, busy time and gaps."""

import pytest

from bench.anatomy import gpu_timeline
from bench.anatomy.gpu_timeline import Event, Timeline
from bench.verify.verification import whole_epoch
from bench.workload import named
from impls import load_trainer, unavailable


def test_overlapping_kernels_are_busy_once_and_what_is_between_them_is_a_gap():
    events = [
        Event("cudaLaunchKernel", False, 0.0, 0.5),
        Event("cuGraphLaunch", False, 0.5, 0.6),
        Event("cuLaunchKernelEx", False, 0.6, 0.7),
        Event("cudaStreamSynchronize", False, 0.7, 9.0),
        Event("aten::mm", False, 0.0, 0.5),
        Event("update", True, 6.0, 7.0),
        Event("Memcpy HtoD (Pinned -> Device)", True, 1.0, 2.0),
        Event("forward", True, 2.5, 4.0),
        Event("prepare", True, 3.0, 3.5),  # in another stream
    ]
    assert Timeline.of(events, steps=2) == Timeline(2, 3, 3, 1, span=6.0, busy=3.5)


def test_launches_that_the_profiler_did_not_record_are_unknown():
    assert Timeline.of([Event("update", True, 6.0, 7.0)], steps=2).launches is None


def test_an_epoch_without_a_gpu_has_no_timeline(mnist):
    assert Timeline.of([Event("aten::mm", False, 0.0, 0.5)], steps=2) is None
    assert gpu_timeline.measure(load_trainer("matrix"), whole_epoch(named("nielsen"), mnist)) is None


@pytest.mark.gpu
@pytest.mark.skipif(unavailable("gpu_graph") is not None, reason=str(unavailable("gpu_graph")))
def test_a_step_of_gpu_graph_is_three_kernels_of_a_graph(mnist):
    pytest.importorskip("torch")
    timeline = gpu_timeline.measure(load_trainer("gpu_graph"), whole_epoch(named("nielsen"), mnist))
    assert timeline.steps == gpu_timeline.STEPS
    assert timeline.kernels == pytest.approx(3 * timeline.steps, abs=5)  # and one that advances to the next mini-batches
    assert timeline.launches < 10
    assert 0.1 < timeline.busy / timeline.span <= 1
