"""Tests of the roofline: work counted by hand, measured peaks, and BLAS kernels that are too narrow for the processor."""

import importlib
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bench import records
from bench.machine import blas
from bench.machine.peaks import library_for, measure, measure_again
from bench.machine.roofline import Peaks, Work, epoch_work
from impls import TRAINERS, Network, load_trainer, unavailable
from impls.accelerator import Accelerator
from impls.loop import Loop
from tests.support.commands import ROOT, command

WRITES = {"webgpu": "wgpu", "torch": "torch", "mlx": "mlx"}  # the package behind each module


def test_bytes_counted_by_hand():
    # float32: read two images of four pixels, read and write a weight matrix of three by four
    assert epoch_work((4, 3), 2, 4).bytes == 4 * (2 * 4 + 2 * 4 * 3)
    assert epoch_work((4, 3), 2, 8).bytes == 2 * epoch_work((4, 3), 2, 4).bytes


def test_skipped_pixels_do_not_count_as_work():
    whole, half = epoch_work((4, 3, 2), 100, 4), epoch_work((4, 3, 2), 100, 4, share=0.5)
    assert whole.flops - half.flops == 2 * 100 * 2 * 0.5 * 4 * 3
    assert whole.bytes - half.bytes == 4 * 0.5 * 100 * 4


def test_the_floor_is_the_larger_of_two_times():
    peaks = Peaks(flops=1e9, bytes=1e8)
    assert peaks.floor(Work(flops=3 * 10**9, bytes=10**8)) == 3
    assert peaks.floor(Work(flops=10**9, bytes=5 * 10**8)) == 5


def test_at_best_takes_the_better_value_of_every_field():
    slow, fast = Peaks(1e9, 2e8, launch=5e-6), Peaks(2e9, 1e8, launch=4e-6)
    assert slow.at_best(fast) == Peaks(2e9, 2e8, 4e-6, None)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_measured_cpu_peaks_are_plausible(dtype):
    peaks = measure("numpy", dtype)
    assert 1e8 < peaks.flops < 1e14
    assert 1e8 < peaks.bytes < 1e12


@pytest.mark.parametrize(("library", "more"), [("webgpu", {}), ("torch", {"where": "cpu"}), ("mlx", {})])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_peaks_by_other_libraries_are_plausible(library, more, dtype):
    # Here on a CPU and in a small size; peaks.measure gives no size.
    module = (
        importlib.import_module(f"bench.machine.peaks_{library}") if importlib.util.find_spec(WRITES[library]) else pytest.skip(library)
    )
    peaks = module.measure(dtype, product=128, copied=1 << 22, **more)
    assert 1e7 < peaks.flops < 1e14
    assert 1e8 < peaks.bytes < 1e12
    assert 1e-8 < peaks.launch < 1e-2


def test_the_peaks_of_a_gpu_are_measured_by_the_trainers_library_if_it_can(monkeypatch):
    def library(name, accelerator=None):
        return library_for(
            type("Trainer", (Loop,), {"library": name, "device": "gpu", "accelerator": classmethod(lambda kind: accelerator)})
        )

    assert library_for(Loop) == "numpy"
    assert [library(name) for name in ("cupy", "jax", "wgpu", "mlx.core", "torch", "numpy")] == [
        "cupy",
        "cupy",
        "wgpu",
        "mlx",
        "torch",
        "cupy",
    ]
    on_cuda = Accelerator("a card", backend="CUDA")
    monkeypatch.setattr("bench.machine.peaks.unavailable", lambda name: "no CuPy")
    assert library("torch", on_cuda) == "torch"
    monkeypatch.setattr("bench.machine.peaks.unavailable", lambda name: None)
    assert library("torch", on_cuda) == "cupy", "all trainers on one GPU have the same peaks"


def test_measure_again_measures_only_the_product():
    before = Peaks(flops=1.0, bytes=2.0)
    again = measure_again("numpy", before, "float32")
    assert 1e8 < again.flops < 1e14
    assert again.bytes == before.bytes


def test_the_peak_is_that_of_the_fastest_product_of_the_loaded_libraries():
    program = (
        "import sys; {load}; from bench.machine.peaks import Peaks, by_other_libraries;"
        "print(by_other_libraries(Peaks(flops=1.0, bytes=2.0), {dtype!r}).flops)"
    )

    def rate(load, dtype):
        code = program.format(load=load, dtype=dtype)
        return float(subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout)

    assert rate("pass", "float32") == 1.0, "only NumPy is loaded, which was measured before"
    for library, dtypes in {"torch": ("float32", "float64"), "jax": ("float32",)}.items():
        if importlib.util.find_spec(library):
            assert all(1e8 < rate(f"import {library}", dtype) < 1e14 for dtype in dtypes)


COMMITTED = [path for path in records.files([ROOT / "results"]) if path.parent.name != "local"]  # other CSVs are not of a run


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_committed_epoch_is_below_its_floor(path):
    rows = records.read([path])
    # A peak is the best of many short measurements, and an epoch is long. With a varying CPU clock, the two may differ by 5 %.
    assert not (rows["fraction_of_limit"] > 1.05).any()


SKIPS_ZEROS = [name for name in TRAINERS if unavailable(name) is None and load_trainer(name).skips_zeros]


@pytest.mark.parametrize("name", SKIPS_ZEROS)
def test_a_trainer_with_skips_zeros_does_not_store_the_zeros(name, mnist):
    kind = load_trainer(name)
    data = mnist.training.first(1000)
    start = Network.scaled([784, 64, 10])
    trainer = kind(start, data, batch_size=10, learning_rate=0.1)
    stored = sum(array.nbytes for array in vars(trainer).values() if isinstance(array, np.ndarray) and len(array) > 10_000)
    assert stored < 0.5 * data.images.nbytes, "the stored arrays are smaller than the images"


# --- BLAS ---------------------------------------------------------------------------------------------------------------------------


def check(trials, bits=256):
    return blas.KernelCheck("Haswell", bits, 512, trials)


def test_narrow_kernels_give_a_warning_with_the_variable_and_the_speedup():
    warning = check([blas.Trial(None, "Haswell", 1e11), blas.Trial("SkylakeX", "SkylakeX", 1.9e11)]).warning()
    assert "256-bit Haswell kernels" in warning
    assert "512-bit" in warning
    assert "set OPENBLAS_CORETYPE=SkylakeX for a speedup of 1.90x" in warning


def test_a_setting_without_a_speedup_is_not_recommended():
    warning = check([blas.Trial(None, "Haswell", 1e11), blas.Trial("SkylakeX", "SkylakeX", 1.02e11)]).warning()
    assert "no other setting was faster" in warning
    assert "set OPENBLAS_CORETYPE" not in warning


def test_wide_enough_kernels_give_no_warning():
    assert check([], bits=512).warning() is None


@pytest.mark.live
def test_a_variable_that_selects_narrow_kernels_gives_a_warning(tmp_path):
    now = blas.check_kernels()
    if now is None or now.processor_bits < 256:
        pytest.skip("needs OpenBLAS and a processor with at least 256-bit kernels")
    narrowed = os.environ | {"OPENBLAS_CORETYPE": "Nehalem"}
    answer = json.loads(command("machine", "--json", env=narrowed).stdout)
    assert answer["blas_kernels"] == "Nehalem"
    assert "128-bit Nehalem kernels" in answer["warning"]
    assert "OPENBLAS_CORETYPE" in answer["warning"]
    gains = {trial["setting"]: trial["flops"] for trial in answer["blas_check"]["trials"]}
    assert max(gains.values()) > 1.5 * gains["Nehalem"], "kernels of twice the width are more than 1.5 times as fast"
