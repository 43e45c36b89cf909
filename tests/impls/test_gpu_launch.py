"""Tests of programmatic dependent launch without a GPU: the arguments for the driver, and drivers that are missing, old or refuse."""

import ctypes
import types

import numpy as np
import pytest

from impls import Dataset, Network, gpu_launch
from impls.gpu_graph import MINI_BATCH
from impls.gpu_launch import EDGE_DATA, Attribute, Config, launch_dependent
from tests.support.fake_cupy import Device
from tests.support.trainers_on_cpu import UnbuiltGraph

FUNCTION, STREAM = types.SimpleNamespace(ptr=0xF00), types.SimpleNamespace(ptr=0x57)


@pytest.fixture
def driver(monkeypatch):
    """A stand-in for the driver's function, called through ctypes. It returns `answer` and records its arguments in `given`."""
    seen = types.SimpleNamespace(answer=0, given=None)

    def launch(config, function, addresses, extra):
        config = config.contents
        attribute = config.attributes.contents
        values = (
            ctypes.c_void_p.from_address(addresses[0]).value,
            ctypes.c_int.from_address(addresses[1]).value,
            ctypes.c_float.from_address(addresses[2]).value,
            np.frombuffer(ctypes.string_at(addresses[3], MINI_BATCH.itemsize), MINI_BATCH)[0].item(),
        )
        seen.given = {
            "launch": (*config.grid, *config.block, config.shared_bytes, config.stream, function, extra),
            "attributes": (config.attribute_count, attribute.id, attribute.value[0]),
            "arguments": values,
        }
        return seen.answer

    prototype = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(Config), ctypes.c_void_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_void_p)
    function = prototype(launch)
    monkeypatch.setattr(gpu_launch, "driver", lambda: function)
    return seen


def test_the_driver_receives_the_launch_its_attribute_and_the_addresses_of_the_arguments(driver):
    array = Device.array(np.arange(3.0))
    structure = np.array((1, 2, 3), MINI_BATCH)
    assert launch_dependent(FUNCTION, (5, 6), 64, (array, np.int32(-7), np.float32(0.5), structure), 1024, STREAM)
    assert driver.given == {
        "launch": (5, 6, 1, 64, 1, 1, 1024, 0x57, 0xF00, None),
        "attributes": (1, 6, 1),
        "arguments": (array.data.ptr, -7, 0.5, (1, 2, 3)),
    }


def test_the_structures_have_the_layout_of_cuda_h():
    assert (ctypes.sizeof(Attribute), Attribute.value.offset) == (72, 8)
    assert (ctypes.sizeof(Config), Config.stream.offset, Config.attributes.offset, Config.attribute_count.offset) == (56, 32, 40, 48)


def test_an_error_of_the_driver_returns_false(driver):
    driver.answer = 801  # CUDA_ERROR_NOT_SUPPORTED
    assert not launch_dependent(FUNCTION, (1,), 32, (np.intp(0), np.int32(0), np.float32(0), np.array((0, 0, 0), MINI_BATCH)), 0, STREAM)


def test_a_missing_driver_returns_false(monkeypatch):
    monkeypatch.setattr(gpu_launch, "driver", lambda: None)
    assert not launch_dependent(FUNCTION, (1,), 32, (), 0, STREAM)


class Refused(UnbuiltGraph):
    asked = 0

    @staticmethod
    def _launch_dependent(*arguments):
        Refused.asked += 1
        return False


def dependent(kind, monkeypatch):
    """Return the names of the kernels that gpu_graph launches with programmatic dependent launch."""
    monkeypatch.setattr(Device, "dependent", set())
    data = Dataset(np.ones((9, 6), np.float32), np.zeros(9, int), classes=3)
    trainer = kind(Network.scaled([6, 5, 3]), data, batch_size=4, learning_rate=1.0)
    Device.launches.clear()
    trainer.train_epoch(np.arange(9))
    assert len(Device.launches) == 3 * 3 + 1  # three kernels in each of three steps, and advance
    return Device.dependent


def test_gpu_graph_launches_every_kernel_as_a_dependent(monkeypatch):
    assert dependent(UnbuiltGraph, monkeypatch) == {"forward_narrow<2, 4, 1>", "output<1>", "update<4, 4, 4>", "advance"}


@pytest.mark.parametrize(("capability", "driver_version"), [("89", 13_000), ("90", EDGE_DATA - 10)])
def test_before_hopper_or_cuda_12_3_the_kernels_of_gpu_graph_do_not_overlap(capability, driver_version, monkeypatch):
    monkeypatch.setattr(Device.cuda.Device, "compute_capability", capability)
    monkeypatch.setattr(Device.cuda.runtime, "driverGetVersion", staticmethod(lambda: driver_version))
    assert dependent(UnbuiltGraph, monkeypatch) == set()


def test_after_one_refusal_of_the_driver_gpu_graph_launches_without_overlap(monkeypatch):
    assert dependent(Refused, monkeypatch) == set()
    assert Refused.asked == 1


@pytest.mark.parametrize(("hidden", "batch_size", "percent"), [(100, 100, 40), (1000, 1000, 50)])
def test_the_l1_cache_gets_the_memory_that_tiles_do_not_need(hidden, batch_size, percent, monkeypatch):
    monkeypatch.setitem(Device.cuda.Device.attributes, "MultiProcessorCount", 132)
    data = Dataset(np.zeros((batch_size, 784)), np.zeros(batch_size, int), classes=10)
    trainer = UnbuiltGraph(Network.scaled([784, hidden, 10]), data, batch_size=batch_size, learning_rate=1.0)
    assert {kernel.preferred_shared_memory_carveout for kernel in trainer._kernels.values()} == {percent}
