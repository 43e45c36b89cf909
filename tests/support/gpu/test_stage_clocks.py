"""tests/support/gpu/stage_clocks.py: today's epoch.cu with clock reads compiles, and played on the CPU it computes the same."""

import json

import pytest

from impls import InputError
from impls.gpu_kernels import KERNELS
from tests.impls.test_kernels import asked_for, needs_nvrtc
from tests.support import nvrtc
from tests.support.gpu import few_steps, stage_clocks
from tests.support.gpu.stage_clocks import MARK, STAGES, clocked, instrumented
from tests.support.gpu.variants import grid_form
from tests.support.kernel_player import needs_compiler
from tests.support.trainers_on_cpu import ON_CPU, FusedOnCpu, UnbuiltFused


@pytest.fixture(scope="module")
def epoch_cu():
    return (KERNELS / "epoch.cu").read_text(encoding="utf-8")


def test_without_the_clock_reads_the_kernel_is_as_it_was(epoch_cu):
    lines = instrumented(epoch_cu).split("\n")
    assert sum("add_stage(spent" in line for line in lines) == len(STAGES)
    assert "\n".join(line for line in lines if not line.endswith(MARK)) == epoch_cu


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        pytest.param("        __syncthreads();\n", "", id="a stage less"),
        pytest.param("        expect(shared.mail, step);\n", "        __syncthreads();\n", id="a stage more"),
        pytest.param("step < steps", "step != steps", id="another loop"),
        pytest.param("    close(shared.mail);\n", "", id="another end"),
    ],
)
def test_a_kernel_with_other_stages_is_refused(epoch_cu, text, instead):
    assert text in epoch_cu
    with pytest.raises(InputError, match=r"^epoch\.cu: .*; adapt .*stage_clocks\.py$"):
        instrumented(epoch_cu.replace(text, instead, 1))


@needs_nvrtc
@pytest.mark.parametrize(("layers", "batch_size"), [([784, 30, 10], 10), ([784, 100, 10], 100)], ids=["nielsen", "wide"])
@pytest.mark.parametrize("capability", ["80", "90"])
def test_the_kernel_with_clock_reads_compiles_without_spills(layers, batch_size, capability, monkeypatch):
    code, options, kernels = asked_for(clocked(UnbuiltFused), layers, batch_size, "float32", capability, monkeypatch)
    (kernel,) = nvrtc.compiled(code, f"sm_{capability}", options, kernels).values()
    assert kernel.spilled == 0


@needs_compiler
@pytest.mark.parametrize("form", [lambda fused: fused, grid_form], ids=["cluster", "grid"])
def test_with_clock_reads_every_stage_of_every_step_is_counted_and_the_bits_are_the_same(form, monkeypatch):
    monkeypatch.setattr("impls.gpu_fused.REGISTERS", {4: 24})  # a mini-batch of several chunks
    job, fused = few_steps.jobs(1)["uneven"], form(FusedOnCpu)
    trainer = clocked(fused)(job.start, job.data, batch_size=job.batch_size, learning_rate=job.learning_rate)
    trainer.train_epoch(job.order)
    assert trainer._fit.chunks == 2
    assert few_steps.bits(trainer.network()) == few_steps.bits(few_steps.train(fused, job))
    assert trainer.clocks().shape == (8, trainer._fit.threads // 32, len(STAGES))
    assert (trainer.clocks() == 5).all()  # as many as steps: on the CPU a clock read is one cycle after the last


@needs_compiler
def test_the_script_prints_a_table_and_writes_json(tmp_path, capsys):
    file = tmp_path / "clocks.json"
    arguments = ["--workload", "nielsen", "--examples", "25", "--threads", "160", "--json", str(file)]
    assert stage_clocks.main(arguments, ON_CPU) == 0
    found = json.loads(file.read_text())["nielsen"]
    assert (found["threads"], found["stages"]["receive"], found["step"]) == (160, [1, 1], len(STAGES))
    printed = capsys.readouterr().out
    assert all(stage in printed for stage in STAGES)


def test_a_workload_that_gpu_fused_does_not_support_is_named(capsys):
    assert stage_clocks.main(["--workload", "large", "--examples", "1000"], ON_CPU) == 1
    assert "stage_clocks: large: 784-1000-10" in capsys.readouterr().err
