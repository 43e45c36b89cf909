"""`webgpu` on the software Vulkan of Mesa, or on whatever adapter this machine has."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from bench import records
from bench.__main__ import main
from bench.machine.accelerators import accelerator_columns, labelled, sensed
from bench.machine.gpu import gpu_columns
from bench.machine.identity import describe
from impls import Dataset, InputError, Network, Unsupported, load_trainer, unavailable
from impls.accelerator import ADAPTER, Accelerator
from impls.errors import DeviceError
from impls.loop import Loop
from impls.testing import relative_error, same_bits, trained
from tests.support.commands import QUICK, bench, command

pytestmark = pytest.mark.skipif(bool(unavailable("webgpu")), reason=str(unavailable("webgpu")))

if not unavailable("webgpu"):
    import wgpu

    from impls import webgpu_adapter, webgpu_device
    from impls.webgpu import WebGpu
    from impls.webgpu_device import WebGpuDevice
    from impls.webgpu_kernel import TILES, Product

    class Lost(WebGpu):
        """Its device is lost in the third epoch, as when a driver restarts a GPU. By then it is timed."""

        epochs = 0

        def _epoch(self, order):
            self.epochs += 1
            if self.epochs == 3:
                self._device.gpu.destroy()
            super()._epoch(order)

else:
    Lost = None


def data(examples=300, pixels=60, classes=10):
    rng = np.random.default_rng(0)
    return Dataset(rng.random((examples, pixels)), rng.integers(0, classes, examples), classes=classes)


START = Network.scaled([60, 140, 10])


def after_an_epoch(kind, batch_size=130, start=START):
    return trained(kind, start, data(), batch_size=batch_size, learning_rate=0.5)


def with_tiles(monkeypatch, tiles):
    monkeypatch.setattr(Product, "tiles", lambda product, name, most_sums: tiles)


def test_every_tile_gives_the_same_bits(monkeypatch):
    # So time may decide which one is used. Two tiles in each direction, with a part of the last one outside of the matrix.
    start, results = Network.scaled([60, 140]), []
    for tile in TILES:
        with_tiles(monkeypatch, [tile])
        results.append(after_an_epoch(WebGpu, start=start))
    assert relative_error(results[0], after_an_epoch(load_trainer("matrix"), start=start.astype("float64"))) < 1e-5
    assert all(same_bits(results[0], other) for other in results[1:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_narrow_product_differs_by_rounding_only(monkeypatch, dtype):
    right = after_an_epoch(load_trainer("matrix"), start=START.astype("float64"))
    with_tiles(monkeypatch, [None])
    assert relative_error(after_an_epoch(WebGpu, start=START.astype(dtype)), right) < {"float32": 1e-5, "float64": 1e-13}[dtype]


def test_time_does_not_decide_about_the_order_of_a_sum():
    for name in ("forward", "output", "backward", "update"):
        for rows, depth, columns in ((10, 785, 30), (100, 785, 100), (1000, 785, 1000), (5, 4, 3)):
            tiles = Product(rows, depth, columns).tiles(name, 256)
            assert tiles == [None] or None not in tiles


class Adapter:
    """This machine's adapter, with other limits or features."""

    def __init__(self, limits=(), features=None):
        self._adapter = webgpu_adapter.chosen()[1]
        self.limits = {**self._adapter.limits, **dict(limits)}
        self.features = self._adapter.features if features is None else features

    def request_device_sync(self, **asked):
        return self._adapter.request_device_sync(required_features=asked["required_features"])


def with_adapter(monkeypatch, **changes):
    facts, _ = webgpu_adapter.chosen()
    monkeypatch.setattr(webgpu_device, "chosen", lambda: (facts, Adapter(**changes)))


def with_arrays_of(monkeypatch, size):
    with_adapter(monkeypatch, limits={"max-storage-buffer-binding-size": size})


def test_images_that_exceed_an_array_are_divided_among_several(monkeypatch):
    small = Network.scaled([60, 20, 10])
    whole = after_an_epoch(WebGpu, batch_size=10, start=small)
    with_arrays_of(monkeypatch, 60 * 4 * 77)  # bytes: 77 of 300 images
    assert same_bits(after_an_epoch(WebGpu, batch_size=10, start=small), whole)


@pytest.mark.parametrize(("size", "what"), [(20_000, "the images of a mini-batch"), (32_000, "the weights of a layer")])
def test_an_array_above_the_limit_of_the_adapter_is_a_reason(monkeypatch, size, what):
    with_arrays_of(monkeypatch, size)
    with pytest.raises(Unsupported, match=f"{what} need .* MiB, and its limit is"):
        after_an_epoch(WebGpu)


def test_without_float64_only_float64_is_unsupported(monkeypatch):
    with_adapter(monkeypatch, features=set())
    after_an_epoch(WebGpu)
    with pytest.raises(Unsupported, match="no float64; give --dtype float32"):
        after_an_epoch(WebGpu, start=START.astype("float64"))


@pytest.mark.parametrize("steps", [1, 3, 30])
def test_the_number_of_steps_in_a_submission_changes_no_bit(monkeypatch, steps):
    whole = after_an_epoch(WebGpu, batch_size=10)
    monkeypatch.setattr("impls.webgpu._GATHERED", steps * 10 * 60 * 4)  # bytes of the images: at most as many steps
    assert same_bits(after_an_epoch(WebGpu, batch_size=10), whole)


def test_a_submission_takes_less_than_the_time_after_which_a_driver_restarts_the_gpu(monkeypatch):
    # With a clock on which every submission of one step takes 60 ms, a quarter of a second is 4 steps.
    now = [0.0]
    monkeypatch.setattr("impls.webgpu.time.perf_counter", lambda: now[0])
    submit = WebGpu._submit

    def slow(trainer, steps):
        now[0] += 0.06 * len(steps)
        submit(trainer, steps)

    monkeypatch.setattr(WebGpu, "_submit", slow)
    trainer = WebGpu(START, data(), batch_size=10, learning_rate=0.5)
    submitted = []
    monkeypatch.setattr(WebGpu, "_submit", lambda trainer, steps: submitted.append(list(steps)))
    trainer.train_epoch(np.arange(300))
    assert submitted == [list(range(first, min(first + 4, 30))) for first in range(0, 30, 4)]


def test_a_step_that_takes_long_is_submitted_kernel_by_kernel(monkeypatch):
    whole = after_an_epoch(WebGpu, batch_size=10)
    monkeypatch.setattr("impls.webgpu._SUBMISSION_SECONDS", 1e-6)
    submitted = []
    submission = WebGpuDevice.submission
    monkeypatch.setattr(WebGpuDevice, "submission", lambda device: submitted.append(1) or submission(device))
    trainer = WebGpu(START, data(), batch_size=10, learning_rate=0.5)
    submitted.clear()
    trainer.train_epoch(np.arange(300))
    assert len(submitted) == 30 * 5  # two layers: forward, output, backward, two updates
    assert same_bits(trainer.network(), whole)


@pytest.mark.skipif(bool(unavailable("webgpu")) or WebGpu.device != "cpu", reason="needs a software adapter")
def test_a_sum_with_more_terms_than_mesa_adds_is_a_reason():
    # With 60,000 examples in a mini-batch, Mesa 22.3 left out a fifth of them.
    long = Dataset(np.zeros((60_000, 6), np.float32), np.zeros(60_000, int), classes=4)
    with pytest.raises(Unsupported, match="sums of 60,001 terms"):
        WebGpu(Network.scaled([6, 4]), long, batch_size=60_000, learning_rate=1.0)
    most = long.first(29_999)
    most.images[...] = np.random.default_rng(0).random(most.images.shape)
    start = Network.scaled([6, 4])
    right = trained(load_trainer("matrix"), start.astype("float64"), most, batch_size=29_999)
    assert relative_error(trained(WebGpu, start, most, batch_size=29_999), right) < 1e-4  # float32, over 29,999 terms


def test_a_shader_that_the_driver_refuses_is_a_reason(monkeypatch):
    monkeypatch.setattr("impls.webgpu_kernel._read", lambda name: "fn main( {")
    with pytest.raises(Unsupported, match="refuses the trainer") as refused:
        after_an_epoch(WebGpu)
    assert "\n" not in str(refused.value)


def test_memory_that_runs_out_is_a_reason(monkeypatch):
    def create_buffer(device, **options):
        raise wgpu.GPUOutOfMemoryError("not enough")

    monkeypatch.setattr(type(WebGpuDevice("float32").gpu), "create_buffer", create_buffer)
    with pytest.raises(Unsupported, match="out of memory; train on fewer --examples"):
        after_an_epoch(WebGpu)


def test_a_lost_device_is_an_error_on_one_line_and_the_next_trainer_has_another_device():
    trainer = Lost(START, data(), batch_size=130, learning_rate=0.5)
    for _ in range(2):
        trainer.train_epoch(np.arange(300))
    with pytest.raises(DeviceError, match="device was lost") as lost:
        trainer.train_epoch(np.arange(300))
    assert "\n" not in str(lost.value)
    after_an_epoch(WebGpu)


def test_a_lost_device_fails_its_case_and_not_the_run(tmp_path):
    ran = bench(*QUICK, "--no-charts", "--trainers", "loop,tests.impls.test_webgpu:Lost,webgpu", "--results", tmp_path)
    assert ran.returncode == 1
    (failure,) = re.findall(r"^FAILED tests.impls.*", ran.stdout, re.MULTILINE)
    assert "the device was lost" in failure
    assert set(records.read([*tmp_path.glob("*.csv")])["trainer"]) == {"loop", "webgpu"}


# --- The adapter --------------------------------------------------------------------------------------------------------------------


def test_software_is_no_gpu():
    for facts, _ in webgpu_adapter.adapters():
        assert facts.name
        assert facts.backend in ("Vulkan", "Metal", "D3D12")
        if re.search("llvmpipe|SwiftShader|Basic Render", facts.name):
            assert facts.kind == "software"
    facts = WebGpu.accelerator()
    assert WebGpu.device == ("cpu" if facts.kind == "software" else "gpu")
    columns = accelerator_columns(WebGpu)
    assert columns["accelerator"] == facts.name
    assert labelled("webgpu", columns) == ("webgpu (software)" if facts.kind == "software" else "webgpu")


def test_an_adapter_is_chosen_by_a_part_of_its_name(monkeypatch):
    named = WebGpu.accelerator().name
    monkeypatch.setenv(ADAPTER, named[:6].upper())
    assert WebGpu.accelerator().name == named
    monkeypatch.setenv(ADAPTER, "no such card")
    with pytest.raises(InputError, match="unknown adapter 'no such card'"):
        WebGpu.accelerator()


def test_the_best_adapter_is_the_first():
    kinds = [facts.kind for facts, _ in webgpu_adapter.adapters()]
    assert kinds == sorted(kinds, key=["discrete", "integrated", "virtual", "", "software"].index)


def test_the_option_chooses_the_adapter_or_names_all():
    assert command("trainers", "--adapter", WebGpu.accelerator().name).returncode == 0
    refused = command("trainers", "--adapter", "no such card")
    assert refused.returncode == 2
    assert refused.stderr.startswith("epochbench: unknown adapter 'no such card': ")
    assert WebGpu.accelerator().name in refused.stderr


def test_a_library_that_does_not_load_costs_the_adapters_only(monkeypatch, capsys):
    def broken():
        raise OSError("libwgpu_native.so: no such file")

    monkeypatch.setattr(webgpu_adapter, "adapters", broken)
    monkeypatch.setattr(webgpu_adapter, "chosen", broken)
    assert main(["trainers"]) == 0
    assert "WebGPU adapter" not in capsys.readouterr().out
    assert gpu_columns()["gpu"] == "" or gpu_columns()["cuda"]


def test_a_hardware_adapter_is_the_gpu_of_a_machine_without_cuda_but_not_in_its_name(monkeypatch):
    card = Accelerator("Radeon 780M", "AMD", "integrated", "Vulkan", "Mesa 25.1")
    monkeypatch.setattr("bench.machine.gpu._bus_of_device_0", lambda: None)
    monkeypatch.setattr("bench.machine.adapter.installed", lambda: [card])
    machine = describe()
    assert (machine.gpu, machine.gpu_driver) == ("Radeon 780M", "Mesa 25.1")
    assert "radeon" not in machine.machine
    assert card.described() == "Radeon 780M (AMD), integrated, shares the processor's memory, Vulkan, driver Mesa 25.1"
    monkeypatch.setattr(
        "bench.machine.adapter.installed", lambda: [facts for facts, _ in webgpu_adapter.adapters() if facts.kind == "software"]
    )
    assert describe().gpu == ""


def test_nvml_shows_the_sensors_of_nvidia_only():
    def of(vendor, device="gpu"):
        facts = Accelerator("a card", vendor)
        return sensed(type("Trainer", (Loop,), {"device": device, "accelerator": classmethod(lambda kind: facts)}))

    assert [of("NVIDIA"), of(""), of("Intel"), of("Mesa", "cpu"), sensed(Loop)] == ["gpu", "gpu", "", "cpu", "cpu"]


def test_nothing_is_printed_while_adapters_are_listed():
    environment = {name: value for name, value in os.environ.items() if name != "XDG_RUNTIME_DIR"}
    program = "from impls.webgpu import WebGpu; WebGpu.accelerator(); import os; assert 'XDG_RUNTIME_DIR' not in os.environ"
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
