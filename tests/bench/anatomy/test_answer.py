"""Tables and JSON of what the command looked into: operations, timelines of a GPU, stages of a fused kernel."""

import json

from bench import records
from bench.analysis.timings import JobKey
from bench.anatomy.answer import Anatomy
from bench.anatomy.breakdown import breakdowns
from bench.anatomy.gpu_timeline import Timeline
from bench.anatomy.operations import FORWARD, Operation, Operations
from bench.anatomy.stage_clocks import FUSED, clocked_fused, measure
from bench.machine.roofline import Peaks
from tests.support.gpu import few_steps
from tests.support.kernel_player import needs_compiler
from tests.support.rows import written
from tests.support.trainers_on_cpu import FusedOnCpu

CASES = {("nielsen", "loop"): 1.0, ("wide", "loop"): 2.0}


def answer(path, **looked_into):
    times, found = breakdowns(records.read([written(path / "a.csv", CASES)]))
    nielsen, _ = (job for _, job in found)
    assert isinstance(nielsen, JobKey)
    return Anatomy(times, found, **{name: [(nielsen, *each) for each in parts] for name, parts in looked_into.items()})


def test_each_job_is_followed_by_its_operations_and_the_columns_are_explained_once(tmp_path):
    kinds = (Operation(FORWARD, 0.02, 10, 10**9, 10**6), Operation("update", 0.01, 10, 0, 10**9))
    text = answer(tmp_path, operations=[(Operations("matrix_tuned", 0.04, -0.001, kinds), Peaks(1e11, 5e10))]).text()
    assert text.index("nielsen: 784") < text.index("operations of matrix_tuned") < text.index("wide: 784")
    assert text.count("\ncalls: ") == 1
    lines = {line.split("  ")[0]: line.split() for line in text.splitlines()}
    assert lines[FORWARD][2:] == ["20.0", "ms", "50.0%", "10", "50.0", "0.0500", "50%"]
    assert lines["update"][1:] == ["10.0", "ms", "25.0%", "10", "-", "100", "200%"]
    assert lines["the whole epoch"][3:5] == ["40.0", "ms"]
    assert lines["Python between the operations"][4:7] == ["-1.00", "ms", "-2.5%"]


def test_a_timeline_has_counts_of_a_step_and_the_share_of_gaps(tmp_path):
    found = answer(tmp_path, timelines=[("gpu_graph", Timeline(200, 2, 601, 1, 1e-3, 7.5e-4))])
    (line,) = (line.split() for line in found.text().splitlines() if line.startswith("gpu_graph"))
    assert line == ["gpu_graph", "0.0100", "3.00", "0.00500", "75%", "25%"]
    (timeline,) = json.loads(found.json())["timelines"]
    assert (timeline["workload"], timeline["trainer"], timeline["kernels"]) == ("nielsen", "gpu_graph", 601)


@needs_compiler
def test_the_stages_of_a_fused_kernel_are_a_table(tmp_path):
    clocks = measure(clocked_fused(FusedOnCpu), few_steps.jobs(1)["uneven"], epochs=1)
    found = answer(tmp_path, clocks=[("gpu_fused", clocks)])
    assert all(stage in found.text() for stage in FUSED)
    (of,) = json.loads(found.json())["clocks"]
    assert list(of["stages"]) == list(FUSED)
