"""`compiled` beyond the contract: any number of threads, any images, fewer registers, and machines that restrict compilers."""

import os
import subprocess
import sys

import numpy as np
import pytest

import impls
from impls import Dataset, Network
from tests.support.commands import ROOT

BATCHES = pytest.mark.parametrize("batch_size", [10, 70], ids=["one at a time", "by pair"])


def unavailable(name, program="", **variables):
    """Return what a new process prints as the reason why a trainer is unavailable."""
    command = [sys.executable, "-c", f"{program}\nimport impls; print(impls.unavailable({name!r}))"]
    return subprocess.run(command, env=os.environ | variables, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def data(pixels, values=None):
    """Return 150 images, four fifths of whose pixels are 0. values: how many values the others have; None: all are different"""
    rng = np.random.default_rng(0)
    images = rng.random((150, pixels)) if values is None else rng.integers(1, values + 1, (150, pixels)) / values
    return Dataset(images * (rng.random((150, pixels)) < 0.2), rng.integers(0, 5, 150), classes=5)


def trained(name, images, layers, batch_size, network=None):
    """Return the trainer after an epoch in float64."""
    if network is None:
        network = Network.scaled(layers, seed=1, dtype="float64")
    trainer = impls.load_trainer(name)(network, images, batch_size=batch_size, learning_rate=0.5)
    trainer.train_epoch(np.arange(150)[::-1])
    return trainer


def assert_same_as_loop(images, layers, batch_size, network=None):
    mine, loops = (trained(name, images, layers, batch_size, network).network() for name in ("compiled", "loop"))
    for w, other in zip((*mine.weights, *mine.biases), (*loops.weights, *loops.biases), strict=True):
        np.testing.assert_allclose(w, other, rtol=0, atol=1e-12)  # 15 steps or more, each of which rounds numbers of about 1


@pytest.mark.parametrize(
    ("name", "library", "variable"), [("compiled", "numba", "NUMBA_DISABLE_JIT"), ("jax_cpu", "jax", "JAX_DISABLE_JIT")]
)
def test_a_compiler_that_is_turned_off_makes_a_trainer_unavailable(name, library, variable):
    pytest.importorskip(library)
    assert f"{variable} turns off compilation; unset it" in unavailable(name, **{variable: "1"})


def test_without_a_writable_directory_each_process_compiles():
    pytest.importorskip("numba")
    # As in a read-only installation with a read-only home: Numba finds no directory for its cache.
    assert unavailable("compiled", "import numba.core.caching as caching; caching.CacheImpl._locator_classes = []") == "None\n"


@pytest.mark.parametrize("values", [3, None], ids=["few values", "all different"])
@BATCHES
def test_any_number_of_values_and_an_odd_number_of_pixels(values, batch_size):
    pytest.importorskip("numba")
    assert_same_as_loop(data(45, values), (45, 12, 5), batch_size)


@BATCHES
def test_images_that_are_blank_or_have_pixels_far_apart(batch_size):
    pytest.importorskip("numba")
    images = np.zeros((150, 1500))
    images[np.arange(1, 150), 10 * np.arange(1, 150)] = 0.5
    images[2::2, [300, 1499]] = 0.25, 1
    images[70:75] = 0
    assert_same_as_loop(Dataset(images, np.arange(150) % 5, classes=5), (1500, 12, 5), batch_size)


@pytest.mark.parametrize("value", [0, 1])
@pytest.mark.parametrize("values", [3, None], ids=["few values", "all different"])
@BATCHES
def test_an_infinite_weight_of_a_pixel_that_is_never_or_always_0(value, values, batch_size):
    pytest.importorskip("numba")
    network = Network.scaled((45, 12, 5), seed=1, dtype="float64")
    network.weights[0][0, 44] = np.inf  # of the last pixel, which the padding of the lists follows
    images = data(45, values)
    images.images[:, 44] = value
    with np.errstate(invalid="ignore"):  # infinity times 0 is NaN
        assert_same_as_loop(images, (45, 12, 5), batch_size, network)


def test_a_processor_with_fewer_registers(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr("impls.compiled_layout._REGISTERS", 8)  # as with AVX2 or NEON
    assert_same_as_loop(data(44), (44, 30, 20, 5), 70)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_sigmoid_is_accurate_to_a_few_units_in_the_last_place_of_1(dtype):
    numba = pytest.importorskip("numba")
    from impls.simd import constant, load, store
    from impls.simd_sigmoid import sigmoid

    length, line = np.finfo(dtype).dtype.itemsize, constant(1)

    @numba.njit
    def apply(z, out):
        for at in range(0, len(z), 64 // length):
            store(out, at, sigmoid(load(z, at, line)))

    z = np.concatenate([np.linspace(-40, 40, 1 << 16), [0, 1e30, -1e30, np.inf, -np.inf, np.nan] * 8]).astype(dtype)
    out = np.full_like(z, 2)
    apply(z, out)
    exact = 1 / (1 + np.exp(-np.clip(z.astype(np.float64), -700, 700)))
    units = 2 if dtype == np.float32 else 3  # one more, because `exact` has that error itself
    np.testing.assert_allclose(out, exact, rtol=0, atol=units * np.finfo(dtype).epsneg)


def test_small_steps_in_large_mini_batches_round_as_little_as_in_matrix_tuned():
    pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    images = Dataset(rng.random((2000, 60)) * (rng.random((2000, 60)) < 0.2), rng.integers(0, 5, 2000), classes=5)

    def w_1(name, dtype):
        network = Network.scaled((60, 100, 5), seed=1, dtype=dtype)
        trainer = impls.load_trainer(name)(network, images, batch_size=1000, learning_rate=0.01)
        for _ in range(20):
            trainer.train_epoch(np.arange(2000))
        return trainer.network().weights[0].astype(np.float64)

    exact = w_1("matrix_tuned", "float64")
    errors = {name: np.linalg.norm(w_1(name, "float32") - exact) for name in ("matrix_tuned", "compiled")}
    assert errors["compiled"] < 2 * errors["matrix_tuned"]  # each step rounds a weight once in both; their sums round differently


def test_the_bits_of_the_result_depend_neither_on_the_number_of_threads_nor_on_the_run(monkeypatch):
    pytest.importorskip("numba")
    networks = []
    for threads in (1, 2, 2, 3):
        monkeypatch.setattr("numba.get_num_threads", lambda threads=threads: threads)
        monkeypatch.setattr("impls.compiled.Compiled._seconds", lambda self, candidate, steps: 1e-3 / candidate[0].size)
        trainer = trained("compiled", data(44, 3), (44, 30, 20, 5), 70)
        assert trainer.chosen_threads == threads
        networks.append(trainer.network())
    for other in networks[1:]:
        for one, two in zip((*networks[0].weights, *networks[0].biases), (*other.weights, *other.biases), strict=True):
            assert np.array_equal(one, two)


def test_more_threads_that_are_slower_are_not_chosen(monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr("numba.get_num_threads", lambda: 8)
    monkeypatch.setattr(
        "impls.compiled.Compiled._seconds", lambda self, candidate, steps: {1: 0.003, 2: 0.002, 4: 0.0025}[candidate[0].size]
    )
    assert trained("compiled", data(44), (44, 30, 20, 5), 70).chosen_threads == 2


@pytest.mark.parametrize("failing", [0, 1])
def test_a_thread_that_fails_does_not_leave_the_others_waiting(failing):
    numba = pytest.importorskip("numba")
    from impls.thread_team import Team, wait_for_all

    @numba.njit(nogil=True)
    def wait(parts, barrier):
        return wait_for_all(parts, barrier, 0)

    returned = []

    def work(part, parts, barrier):
        if part == failing:
            raise MemoryError
        returned.append(wait(parts, barrier))

    team = Team(2)
    with pytest.raises(MemoryError):
        team.run(work)
    team.run(lambda part, parts, barrier: returned.append(wait(parts, barrier)))  # its second thread is free again
    assert returned == [1, 1, 1]
