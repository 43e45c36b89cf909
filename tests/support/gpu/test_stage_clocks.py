"""Tests of tests/support/gpu/stage_clocks.py: the kernels with clock reads compile, and give the same bits in emulation on the CPU."""

import json

import pytest

from bench.anatomy.stage_clocks import FUSED, LOOKAHEAD, clocked_fused, clocked_lookahead
from tests.support import nvrtc
from tests.support.gpu import few_steps, stage_clocks
from tests.support.gpu.variants import grid_form
from tests.support.kernel_player import needs_compiler
from tests.support.nvrtc import needs_nvrtc
from tests.support.trainers_on_cpu import ON_CPU, FusedOnCpu, LookaheadOnCpu, UnbuiltFused, UnbuiltLookahead, asked_for


@needs_nvrtc
@pytest.mark.parametrize(
    ("kind", "layers", "batch_size", "capability"),
    [
        (clocked_fused(UnbuiltFused), [784, 30, 10], 10, "80"),
        (clocked_fused(UnbuiltFused), [784, 30, 10], 10, "90"),
        (clocked_fused(UnbuiltFused), [784, 100, 10], 100, "90"),
        (clocked_lookahead(UnbuiltLookahead), [784, 30, 10], 10, "90"),
    ],
)
def test_the_kernels_with_clock_reads_compile_without_spills(kind, layers, batch_size, capability, monkeypatch):
    code, options, kernels = asked_for(kind, layers, batch_size, "float32", capability, monkeypatch)
    assert all(kernel.spilled == 0 for kernel in nvrtc.compiled(code, f"sm_{capability}", options, kernels).values())


@needs_compiler
@pytest.mark.parametrize(
    ("kind", "clocked"),
    [(FusedOnCpu, clocked_fused), (grid_form(FusedOnCpu), clocked_fused), (LookaheadOnCpu, clocked_lookahead)],
    ids=["cluster", "grid", "lookahead"],
)
def test_kernels_with_clock_reads_count_every_stage_and_give_the_same_bits(kind, clocked, monkeypatch):
    monkeypatch.setattr("impls.gpu_fused.REGISTERS", {4: 24})  # a mini-batch of several chunks
    job = few_steps.jobs(1)["uneven"]
    trainer = clocked(kind)(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    trainer.train_epoch(job.order)
    assert few_steps.bits(trainer.network()) == few_steps.bits(few_steps.train(kind, job))
    spent = trainer.clocks()  # in emulation each clock read advances one cycle, so the count of a stage is the number of its ends
    assert spent.shape[1] == trainer._fit.threads // 32
    assert spent.min() >= 5  # steps
    assert spent.max() <= 5 + 1 + 3  # the conductor's last sends; the workers' steps ahead


@needs_compiler
def test_the_script_prints_a_table_and_writes_json(tmp_path, capsys):
    file = tmp_path / "clocks.json"
    arguments = ["--workload", "nielsen", "--examples", "25", "--threads", "160", "--json", str(file)]
    assert stage_clocks.main(arguments, ON_CPU) == 0
    results = json.loads(file.read_text())
    fused = results["gpu_fused, nielsen"]
    assert (fused["threads"], fused["stages"]["receive"], fused["step"]) == (160, [1, 1], len(FUSED))
    assert [f"gpu_lookahead, nielsen, {kind}" for kind in LOOKAHEAD] == list(results)[1:]
    printed = capsys.readouterr().out
    assert all(stage in printed for stages in (FUSED, *LOOKAHEAD.values()) for stage in stages if stage != "none")


def test_the_error_names_a_workload_that_no_trainer_supports(capsys):
    assert stage_clocks.main(["--workload", "large", "--examples", "1000"], ON_CPU) == 1
    (line,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("stage_clocks: gpu_fused, large: "))
    assert "784-1000-10" in line
