"""A stand-in for CuPy on machines without a GPU.

Like CuPy, it keeps host and device arrays apart and runs its work asynchronously. It emulates kernels on the CPU (tests/support/simt.cpp).
"""

import ctypes
import math
import types
import weakref
from functools import partial
from typing import ClassVar

import numpy as np

from impls.gpu_kernels import KERNELS
from tests.support.fake_stream import Event, Stream, current, start
from tests.support.kernel_player import Launch, emulated, symbol


class DeviceArray(np.ndarray):
    """A NumPy array in place of device memory. Operations that mix it with host arrays raise TypeError."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        options = {name: value for name, value in options.items() if value is not None}  # ndarray.sum passes every option
        (out,) = options.pop("out", (None,))
        _on_device(*inputs, out)
        plain = [value.view(np.ndarray) if isinstance(value, DeviceArray) else value for value in inputs]
        function = getattr(ufunc, method)
        if out is None:
            result = function(*(np.ones_like(value) if isinstance(value, np.ndarray) else value for value in plain), **options)
            out = Device.empty(result.shape, result.dtype)
        Device.launches.append(ufunc.__name__)
        start(partial(function, *plain, **options, out=out.view(np.ndarray)))
        return out

    def __getitem__(self, key):
        _on_device(*(key if isinstance(key, tuple) else (key,)))
        if isinstance(key, DeviceArray):
            return self.take(key, axis=0, out=Device.empty((*key.shape, *self.shape[1:]), self.dtype))
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        _on_device(key, value)
        value = value.view(np.ndarray) if isinstance(value, DeviceArray) else value
        start(partial(np.ndarray.__setitem__, self.view(np.ndarray), key, value))

    def fill(self, value):
        self[...] = value

    def take(self, indices, axis=None, out=None):  # without NumPy's `mode`, as in CuPy
        _on_device(indices, out)
        Device.launches.append("take")
        start(partial(self.view(np.ndarray).take, indices.view(np.ndarray), axis=axis, out=out.view(np.ndarray), mode="clip"))
        return out

    def get(self, out):
        current().synchronize()
        out[...] = self.view(np.ndarray)
        return out

    def set(self, host):
        """Copy asynchronously from host memory. The caller must keep that memory alive until the copy has run."""
        assert (host.dtype, host.shape) == (self.dtype, self.shape)
        owner = weakref.ref(host.base if isinstance(host.base, np.ndarray) else host)
        bytes_there = (ctypes.c_char * host.nbytes).from_address(host.ctypes.data)

        def copy():
            assert owner() is not None, "the host memory was freed before the asynchronous copy ran"
            self.view(np.ndarray)[...] = np.frombuffer(bytes_there, self.dtype).reshape(self.shape)

        start(copy)

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)


def _on_device(*values):
    for value in values:
        if isinstance(value, np.ndarray) and value.ndim and not isinstance(value, DeviceArray):
            raise TypeError(f"host array of shape {value.shape} mixed with device arrays")


def _allocated(shape, dtype, value):
    """Return an array filled with the value. It is padded with zeros, so that a kernel without one of its waits can read past the end."""
    count = math.prod(np.atleast_1d(shape))
    memory = np.zeros(count + 64, dtype)
    memory[:count] = value
    return memory[:count].reshape(shape).view(DeviceArray)


class Device:
    """The part of CuPy that a trainer may use. `launches` lists the array operations and kernels that were started."""

    add, subtract, multiply, tanh = np.add, np.subtract, np.multiply, np.tanh
    launches: ClassVar[list[str]] = []
    together: ClassVar[set[str]] = set()  # kernels with a cooperative launch: all their blocks run at once
    dependent: ClassVar[set[str]] = set()  # kernels with a dependent launch: they may begin before the kernel in front of them has ended

    @staticmethod
    def take(rows, examples, axis, out):
        return rows.take(examples, axis=axis, out=out)

    @staticmethod
    def asnumpy(array):
        return array.get(out=np.empty(array.shape, array.dtype))

    @staticmethod
    def array(value, dtype=None, order="K"):
        return np.array(value, dtype=dtype, order=order).view(DeviceArray)

    asarray = array

    @staticmethod
    def empty(shape, dtype):
        return _allocated(shape, dtype, np.nan)

    @staticmethod
    def zeros(shape, dtype):
        array = _allocated(shape, dtype, np.nan if np.dtype(dtype).kind == "f" else 99)
        array.fill(0)
        return array

    @staticmethod
    def dot(a, b, out=None):
        _on_device(a, b, out)
        out = Device.empty((len(a), b.shape[1]), a.dtype) if out is None else out
        Device.launches.append("dot")
        start(partial(np.dot, a.view(np.ndarray), b.view(np.ndarray), out=out.view(np.ndarray)))
        return out

    class ElementwiseKernel:
        """A kernel of one assignment. It is valid Python too, and is evaluated as Python on whole arrays."""

        def __init__(self, inputs, outputs, operation, name):
            self.inputs = [parameter.split()[1] for parameter in inputs.split(", ")]
            result, self.expression = operation.split(" = ")
            assert f"T {result}" == outputs
            self.name = name

        def __call__(self, *arrays, block_size=128):
            _on_device(*arrays)
            Device.launches.append(self.name)
            *inputs, out = (array.view(np.ndarray) for array in arrays)
            assert out.shape == np.broadcast_shapes(*(array.shape for array in inputs))
            names = {"T": out.dtype.type, "tanh": np.tanh, **dict(zip(self.inputs, inputs, strict=True))}
            start(lambda: np.copyto(out, eval(self.expression, names)))

    class RawModule:
        """Kernels compiled as C++ for the CPU.

        seed, without  parameters of simt.cpp for all launches
        barriers       number of barriers in the latest module
        """

        seed, without, barriers = 0, -1, 0

        def __init__(self, *, code, options, name_expressions):
            hardware = (KERNELS / "hardware.cuh").read_text(encoding="utf-8")
            assert code.startswith(hardware)
            self._library = emulated(code.removeprefix(hardware), options, name_expressions)
            Device.RawModule.barriers = ctypes.c_int.in_dll(self._library, "barriers").value

        def get_function(self, name):
            return _Kernel(name, self._library[symbol(name)])

    class cuda:
        """Devices, streams and events."""

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

        class driver:
            most_blocks = 16  # per cluster

            class CUDADriverError(Exception):
                pass

            @staticmethod
            def funcSetAttribute(function, attribute, value):
                pass

        class runtime:
            is_hip = False

            @staticmethod
            def getDeviceCount():
                return 4

            @staticmethod
            def driverGetVersion():
                return 13_000

        @staticmethod
        def alloc_pinned_memory(size):
            return bytearray(size)

        @staticmethod
        def get_elapsed_time(one, other):
            return 1000 * (other.seconds - one.seconds)

        Event, Stream = Event, Stream
        get_current_stream = staticmethod(current)


class Unbuilt(Device):
    """A stand-in that runs no kernels. It records the requested kernels in `asked`, and counts launches."""

    class RawModule:
        def __init__(self, *, code, options, name_expressions):
            Unbuilt.asked = (code, options, name_expressions)

        def get_function(self, name):
            return _Kernel(name, lambda launch, arguments: 0)


class _Kernel:
    max_dynamic_shared_size_bytes = 48 * 1024

    def __init__(self, name, function):
        self.name, self._function = name, function
        self.kernel = partial(self._launch)
        self.kernel.ptr = 0

    def __call__(self, grid, block, arguments, shared_mem=0):
        self.kernel(grid, block, arguments, shared_mem)

    def _launch(self, grid, block, arguments, shared_mem=0, enable_cooperative_groups=False, dependent=False):
        if self.name == "epoch" and grid[0] > Device.cuda.driver.most_blocks:  # its blocks form a cluster
            raise Device.cuda.driver.CUDADriverError
        assert len(block) == 1
        assert 0 <= shared_mem <= self.max_dynamic_shared_size_bytes
        # CuPy passes a Python number as 64 bits, and a host array that is a single struct by value.
        assert all(isinstance(x, (DeviceArray, np.generic)) or (x.shape == () and x.dtype.names) for x in arguments)
        assert all(argument.flags.c_contiguous for argument in arguments if isinstance(argument, DeviceArray))
        if enable_cooperative_groups:
            Device.together.add(self.name)
        if dependent:
            Device.dependent.add(self.name)
        values = [np.intp(argument.ctypes.data) if isinstance(argument, DeviceArray) else argument for argument in arguments]
        cells = [np.array(value) for value in values]
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))

        def emulate(followed, held=(cells, arguments)):
            Device.launches.append(self.name)
            launch = Launch((*grid, 1, 1)[:3], block[0], shared_mem, followed, Device.RawModule.seed, Device.RawModule.without)
            if self._function(ctypes.byref(launch), pointers):
                raise TimeoutError(f"{self.name}: deadlock: its threads wait forever")

        start(emulate, kernel=True, dependent=dependent)
