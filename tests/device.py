"""A stand-in for CuPy where there is no GPU, as strict about host and device, that plays kernels on the CPU (tests/simt.h)."""

import contextlib
import ctypes
import functools
import shutil
import subprocess
import sys
import tempfile
import types
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from impls.gpu import Gpu
from impls.gpu_fused import GpuFused
from impls.gpu_graph import GpuGraph
from impls.gpu_kernels import KERNELS
from impls.matrix import Matrix

SIMT = Path(__file__).parent / "simt.h"
COMPILER = shutil.which("g++")

needs_compiler = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="needs g++ on Linux, to play kernels on the CPU")


class DeviceArray(np.ndarray):
    """A NumPy array that plays device memory: it meets no host array in any operation."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        _on_device(*inputs, *options.get("out", ()))
        plain = [value.view(np.ndarray) if isinstance(value, DeviceArray) else value for value in inputs]
        if "out" in options:
            options["out"] = tuple(value.view(np.ndarray) for value in options["out"])
        Device.launches.append(ufunc.__name__)
        return getattr(ufunc, method)(*plain, **options).view(DeviceArray)

    def __getitem__(self, key):
        _on_device(*(key if isinstance(key, tuple) else (key,)))
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        _on_device(key, value)
        super().__setitem__(key, value)

    def take(self, indices, axis=None, out=None):  # CuPy has no mode
        _on_device(indices, out)
        Device.launches.append("take")
        np.ndarray.take(self.view(np.ndarray), indices.view(np.ndarray), axis=axis, out=out.view(np.ndarray), mode="clip")
        return out

    def get(self, out):
        out[...] = self.view(np.ndarray)
        return out

    def set(self, host):
        assert host.dtype == self.dtype
        self.view(np.ndarray)[...] = host

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)


def _on_device(*values):
    for value in values:
        if isinstance(value, np.ndarray) and value.ndim and not isinstance(value, DeviceArray):
            raise TypeError(f"a host array of shape {value.shape} among device arrays")


class Device:
    """The part of CuPy that a trainer may use. `launches` lists the array operations and kernels that were started."""

    add, subtract, multiply, tanh = np.add, np.subtract, np.multiply, np.tanh
    launches: ClassVar[list[str]] = []

    @staticmethod
    def array(value, dtype=None, order="K"):
        return np.array(value, dtype=dtype, order=order).view(DeviceArray)

    asarray = array

    @staticmethod
    def empty(shape, dtype):
        return np.full(shape, np.nan, dtype).view(DeviceArray)

    @staticmethod
    def zeros(shape, dtype):
        return np.zeros(shape, dtype).view(DeviceArray)

    @staticmethod
    def ones(shape, dtype):
        return np.ones(shape, dtype).view(DeviceArray)

    @staticmethod
    def dot(a, b, out):
        _on_device(a, b, out)
        Device.launches.append("dot")
        np.dot(a.view(np.ndarray), b.view(np.ndarray), out=out.view(np.ndarray))

    class ElementwiseKernel:
        """Evaluates the kernel's one assignment as Python, which it also is, on whole arrays."""

        def __init__(self, inputs, outputs, operation, name):
            self.inputs = [parameter.split()[1] for parameter in inputs.split(", ")]
            result, self.expression = operation.split(" = ")
            assert f"T {result}" == outputs
            self.name = name

        def __call__(self, *arrays):
            _on_device(*arrays)
            Device.launches.append(self.name)
            *inputs, out = (array.view(np.ndarray) for array in arrays)
            assert out.shape == np.broadcast_shapes(*(array.shape for array in inputs))
            out[...] = eval(self.expression, {"T": out.dtype.type, "tanh": np.tanh}, dict(zip(self.inputs, inputs, strict=True)))

    class RawModule:
        """Kernels compiled as C++ for the CPU. `seed` and `without` are tests/simt.h's, for all that is launched; `barriers` is how many
        the latest module has."""

        seed, without, barriers = 0, -1, 0

        def __init__(self, *, code, options, enable_cooperative_groups, name_expressions):
            hardware = (KERNELS / "hardware.cuh").read_text(encoding="utf-8")
            assert code.startswith(hardware)
            self._library = played(code.removeprefix(hardware), tuple(options), tuple(name_expressions))
            Device.RawModule.barriers = ctypes.c_int.in_dll(self._library, "barriers").value

        def get_function(self, name):
            return _Kernel(name, self._library[_symbol(name)])

    class cuda:
        """Streams that are never behind, and graphs that remember launches."""

        class Device:
            compute_capability = "90"
            attributes: ClassVar[dict[str, int]] = {"MultiProcessorCount": 8, "MaxSharedMemoryPerBlockOptin": 227 * 1024}
            current = 0

            def __init__(self, number=None):
                self._number = Device.cuda.Device.current if number is None else number

            def use(self):
                Device.cuda.Device.current = self._number

            @property
            def pci_bus_id(self):
                return f"0000:{self._number:02x}:00.0"

        class runtime:
            @staticmethod
            def getDeviceCount():
                return 4

        @staticmethod
        def alloc_pinned_memory(size):
            return bytearray(size)

        class Stream(contextlib.nullcontext):
            def __init__(self, non_blocking):
                super().__init__()

            ptr = 0

            def synchronize(self):
                pass

            def begin_capture(self):
                _Kernel.captured = []

            def end_capture(self):
                plays, _Kernel.captured = _Kernel.captured, None
                return types.SimpleNamespace(launch=lambda: [play() for play in plays], upload=lambda: None)

        @staticmethod
        def get_current_stream():
            return Device.cuda.Stream(non_blocking=False)


class OnDevice:
    """Mixed into a GPU trainer: trains it on the stand-in."""

    xp = Device

    def _empty(self, *shape):
        return self.xp.empty(shape, self.dtype)

    @staticmethod
    def _gather(rows, examples, out):
        rows.take(examples, axis=0, out=out)

    @staticmethod
    def _to_host(array):
        return array.view(np.ndarray)


class Unbuilt(Device):
    """The stand-in for where no kernel needs to run: it remembers which are asked for, and counts launches all the same."""

    class RawModule:
        def __init__(self, *, code, options, enable_cooperative_groups, name_expressions):
            Unbuilt.asked = (code, options, name_expressions)

        def get_function(self, name):
            return _Kernel(name, lambda launch, arguments: 0)


class MatrixOnCpu(OnDevice, Matrix):
    pass


class GpuOnCpu(OnDevice, Gpu):
    pass


class GraphOnCpu(OnDevice, GpuGraph):
    pass


class FusedOnCpu(OnDevice, GpuFused):
    pass


class UnbuiltGraph(OnDevice, GpuGraph):
    xp = Unbuilt


class UnbuiltFused(OnDevice, GpuFused):
    xp = Unbuilt


class _Launch(ctypes.Structure):
    _fields_ = [
        ("grid", ctypes.c_int * 3),
        ("threads", ctypes.c_int),
        ("shared_bytes", ctypes.c_int),
        ("seed", ctypes.c_uint),
        ("without", ctypes.c_int),
    ]


class _Kernel:
    captured = None
    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, name, function):
        self.name, self._function = name, function

    def __call__(self, grid, block, arguments, shared_mem=0):
        assert len(block) == 1
        assert 0 <= shared_mem <= self.max_dynamic_shared_size_bytes
        assert all(isinstance(argument, (DeviceArray, np.generic)) for argument in arguments)  # a Python number would pass as 64 bits
        assert all(argument.flags.c_contiguous for argument in arguments if isinstance(argument, DeviceArray))
        values = [np.intp(argument.ctypes.data) if isinstance(argument, DeviceArray) else argument for argument in arguments]
        cells = [np.array(value) for value in values]
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))

        def play(held=(cells, arguments)):
            Device.launches.append(self.name)
            launch = _Launch((*grid, 1, 1)[:3], block[0], shared_mem, Device.RawModule.seed, Device.RawModule.without)
            if self._function(ctypes.byref(launch), pointers):
                raise TimeoutError(f"{self.name} waits for what never comes")

        if _Kernel.captured is None:
            play()
        else:
            _Kernel.captured.append(play)


def _symbol(name):
    return "play_" + "".join(letter if letter.isalnum() else "_" for letter in name)


@functools.cache
def played(code, options, kernels):
    """Compile kernels for the CPU and return the library."""
    folder = Path(tempfile.mkdtemp())
    text = [f'#include "{SIMT}"', code, *(f"PLAY({_symbol(name)}, {name})" for name in kernels)]
    text.append('extern "C" const int barriers = __COUNTER__;')
    (folder / "kernels.cpp").write_text("\n".join(text), encoding="utf-8")
    command = [COMPILER, "-O1", "-w", "-shared", "-fPIC", *options, "kernels.cpp", "-o", "kernels.so"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    library = ctypes.CDLL(str(folder / "kernels.so"))
    shutil.rmtree(folder)
    return library
