"""Tests of the machine description and of CPU affinity."""

import ctypes
import getpass
import os
import platform
import subprocess
import sys
import unicodedata
from dataclasses import asdict
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.machine.gpu import gpu_columns
from bench.machine.identity import describe, slug
from tests.support.commands import ROOT


def test_the_description_has_no_host_name_user_name_or_path():
    machine = describe()
    for column in ("machine", "cpu", "os", "python", "numpy", "blas"):
        assert asdict(machine)[column]
    assert machine.cores >= 1
    assert machine.memory_gib > 0
    text = "\n".join(map(str, asdict(machine).values()))
    assert platform.node() not in text
    assert getpass.getuser() not in text.replace("processor", "")
    assert str(ROOT) not in text


@settings(deadline=None)
@given(st.text())
def test_a_machine_name_is_a_safe_file_name(text):
    name = slug(text)
    assert 1 <= len(name.encode()) <= 80 + len("machine-")
    assert all(letter.isalnum() or letter == "-" for letter in name)
    assert name == name.casefold()
    assert slug(name) == name


def test_names_in_other_scripts_stay_different():
    assert slug("計算機 一") == "計算機-一"
    assert slug("Сервер 2") == "сервер-2"
    assert slug("Büro") == slug(unicodedata.normalize("NFD", "Büro")) == "büro"


def test_the_number_of_a_host_is_not_cut_off():
    names = [slug("計算機" * 20, ending=f"-{number}") for number in (1, 10)]
    assert [name.rpartition("-")[2] for name in names] == ["1", "10"]
    assert max(len(name.encode()) for name in names) <= 80


def test_a_long_name_keeps_the_model_of_the_gpu():
    assert slug("AMD Ryzen Threadripper PRO 5995WX 64-core NVIDIA GeForce RTX 4090").endswith("-4090")


class Driver:
    """A fake CUDA driver on a machine with the slower GPU first on the bus."""

    def __init__(self, error=0):
        self.error = error

    def cuInit(self, flags):
        return self.error

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = (7, 3)[ordinal]
        return 0

    def cuDeviceGetPCIBusId(self, bus, size, device):
        bus.value = {7: b"0000:65:00.0", 3: b"0000:17:00.0"}[device.value]
        return 0


SMI = """
case "$*" in
*--id=0000:65:00.0) echo "NVIDIA H200, 580.159.03, 143771, 1980";;
*--id=*) echo "NVIDIA T400, 580.159.03, 4096, 1425";;
*) echo "| Driver 580.1  CUDA Version: 13.0 |";;
esac
"""


@pytest.mark.skipif(os.name == "nt", reason="the fake nvidia-smi is a shell script")
@pytest.mark.parametrize(
    ("driver", "script", "expected"),
    [
        (Driver(), SMI, ("NVIDIA H200", "580.159.03", "13.0", 140.4, 1980.0)),
        (Driver(), 'echo "NVIDIA-SMI has failed because it could not communicate with the driver"; exit 9', ("", "", "", None, None)),
        (Driver(error=100), SMI, ("", "", "", None, None)),
    ],
    ids=["a GPU", "no nvidia-smi", "all GPUs hidden from CUDA"],
)  # fmt: skip
def test_the_described_gpu_is_cuda_device_0(tmp_path, monkeypatch, driver, script, expected):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    load = ctypes.CDLL
    monkeypatch.setattr(ctypes, "CDLL", lambda name, *others, **more: driver if "cuda" in str(name) else load(name, *others, **more))
    monkeypatch.setitem(sys.modules, "pynvml", None)  # not installed
    machine = describe()
    assert (machine.gpu, machine.gpu_driver, machine.cuda, machine.gpu_memory_gib, machine.gpu_clock_mhz) == expected
    assert machine.machine.endswith("nvidia-h200") == bool(expected[0])


class Nvml(ModuleType):
    """A fake pynvml module with two GPUs."""

    NVML_CLOCK_SM = 1

    class NVMLError(Exception):
        pass

    def __init__(self, works=True):
        super().__init__("pynvml")
        self.works = works

    def nvmlInit(self):
        if not self.works:
            raise self.NVMLError("Driver/library version mismatch")

    def nvmlDeviceGetHandleByPciBusId(self, bus):
        return {"0000:65:00.0": "NVIDIA H200", "0000:17:00.0": "NVIDIA T400"}[bus]

    def nvmlDeviceGetName(self, handle):
        return handle

    def nvmlSystemGetDriverVersion(self):
        return "580.159.04"

    def nvmlSystemGetCudaDriverVersion_v2(self):
        return 13010

    def nvmlDeviceGetMemoryInfo(self, handle):
        return SimpleNamespace(total=143771 << 20)

    def nvmlDeviceGetMaxClockInfo(self, handle, kind):
        return {self.NVML_CLOCK_SM: 1980}[kind]


@pytest.mark.skipif(os.name == "nt", reason="the fake nvidia-smi is a shell script")
@pytest.mark.parametrize(("works", "driver"), [(True, "580.159.04"), (False, "580.159.03")], ids=["NVML works", "NVML fails"])
def test_nvidia_smi_is_used_only_if_nvml_fails(tmp_path, monkeypatch, works, driver):
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{SMI}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "pynvml", Nvml(works))
    monkeypatch.setattr("bench.machine.gpu._bus_of_device_0", lambda: "0000:65:00.0")
    columns = gpu_columns()
    assert columns.pop("gpu_driver") == driver
    assert columns.pop("cuda") == ("13.1" if works else "13.0")
    assert columns == {"gpu": "NVIDIA H200", "gpu_memory_gib": 140.4, "gpu_clock_mhz": 1980.0}


HOLD = """
import os, sys
if sys.argv[1] == "early": import numpy
from bench.machine import affinity
print(affinity.limit_threads(1))
import numpy, threadpoolctl
numpy.dot(numpy.ones((500, 500)), numpy.ones((500, 500)))
print({len(os.sched_getaffinity(int(task))) for task in os.listdir("/proc/self/task")})
print({library["num_threads"] for library in threadpoolctl.threadpool_info()})
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs sched_getaffinity")
@pytest.mark.parametrize("numpy", ["early", "late"])
def test_one_thread_pins_every_thread_to_one_processor(numpy):
    output = subprocess.run([sys.executable, "-c", HOLD, numpy], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert output.split() == ["1", "{1}", "{1}"]


HELD = """
from bench.machine import affinity
affinity.limit_threads(1)
from impls import TRAINERS, load_trainer, unavailable
from impls.testing import CHECKS
for name in TRAINERS:
    if unavailable(name) is None and load_trainer(name).device == "cpu":
        for check in CHECKS:
            if check.function.__name__ in ("check_twenty_steps_in_float32", "check_finite_differences", "check_same_bits_every_time"):
                check(load_trainer(name))
        print(name)
"""


@pytest.mark.skipif((os.cpu_count() or 1) == 1, reason="needs two processors")
def test_the_trainers_meet_their_contract_on_one_processor():
    output = subprocess.run([sys.executable, "-c", HELD], cwd=ROOT, capture_output=True, text=True)
    assert output.returncode == 0, output.stderr
    assert {"loop", "matrix"} <= set(output.stdout.split())
