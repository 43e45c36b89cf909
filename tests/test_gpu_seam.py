"""The gpu trainer where there is no GPU: its lines run on a stand-in for CuPy that is as strict about host and device."""

import subprocess
import sys

import numpy as np
import pytest

from impls import Network, load_trainer
from impls.matrix import Matrix


class DeviceArray(np.ndarray):
    """A NumPy array that plays device memory: it meets no host array in any operation."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        _on_device(*inputs, *options.get("out", ()))
        plain = [value.view(np.ndarray) if isinstance(value, DeviceArray) else value for value in inputs]
        if "out" in options:
            options["out"] = tuple(value.view(np.ndarray) for value in options["out"])
        return getattr(ufunc, method)(*plain, **options).view(DeviceArray)

    def __getitem__(self, key):
        _on_device(*(key if isinstance(key, tuple) else (key,)))
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        _on_device(key, value)
        super().__setitem__(key, value)

    def take(self, indices, axis=None, out=None):  # CuPy has no mode
        _on_device(indices, out)
        np.ndarray.take(self.view(np.ndarray), indices.view(np.ndarray), axis=axis, out=out.view(np.ndarray), mode="clip")
        return out


def _on_device(*values):
    for value in values:
        if isinstance(value, np.ndarray) and value.ndim and not isinstance(value, DeviceArray):
            raise TypeError(f"a host array of shape {value.shape} among device arrays")


class Device:
    """The part of CuPy that a trainer may use."""

    add, subtract, multiply, tanh = np.add, np.subtract, np.multiply, np.tanh

    @staticmethod
    def array(value, dtype=None):
        return np.array(value, dtype=dtype).view(DeviceArray)

    asarray = array

    @staticmethod
    def empty(shape, dtype):
        return np.full(shape, np.nan, dtype).view(DeviceArray)

    @staticmethod
    def ones(shape, dtype):
        return np.ones(shape, dtype).view(DeviceArray)

    @staticmethod
    def dot(a, b, out):
        _on_device(a, b, out)
        np.dot(a.view(np.ndarray), b.view(np.ndarray), out=out.view(np.ndarray))


class MatrixOnDevice(Matrix):
    xp = Device

    def _empty(self, *shape):
        return Device.empty(shape, self.dtype)

    @staticmethod
    def _gather(rows, examples, out):
        rows.take(examples, axis=0, out=out)

    @staticmethod
    def _to_host(array):
        return array.view(np.ndarray)


@pytest.mark.parametrize("batch_size", [1, 5, 23])
def test_matrix_keeps_to_device_arrays_and_computes_the_same(small, batch_size):
    start, order = Network.scaled([6, 5, 3]), small.order(seed=0)
    results = []
    for kind in (MatrixOnDevice, Matrix):
        trainer = kind(start, small, batch_size=batch_size, learning_rate=3.0)
        trainer.train_epoch(order)
        results.append(trainer.network())
    for mine, right in zip(results[0].weights + results[0].biases, results[1].weights + results[1].biases, strict=True):
        np.testing.assert_array_equal(mine, right)


def test_the_stand_in_refuses_what_cupy_refuses():
    device, host = Device.array([1.0, 2.0]), np.ones(2)
    for mix in (lambda: device + host, lambda: host * device, lambda: device[np.array([0])]):
        with pytest.raises(TypeError):
            mix()


def test_without_cupy_the_trainer_imports_and_says_how_to_mend_it():
    program = "import sys; sys.modules['cupy'] = None\nfrom impls import load_trainer\nprint(load_trainer('gpu').unavailable())"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "CuPy is not installed: pip install '.[gpu]'" in told


@pytest.mark.gpu
@pytest.mark.skipif(load_trainer("gpu").unavailable() is not None, reason=str(load_trainer("gpu").unavailable()))
def test_train_epoch_returns_when_the_device_has_finished(mnist):
    import cupy

    start = Network.scaled([784, 1000, 10])
    trainer = load_trainer("gpu")(start, mnist.training, batch_size=1000, learning_rate=0.1)
    trainer.train_epoch(mnist.training.order(seed=0))
    assert cupy.cuda.get_current_stream().done
