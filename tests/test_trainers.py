"""The contract of impls/trainer.py, held for every trainer alike."""

import gc
import math
import sys

import numpy as np
import psutil
import pytest

from impls import TRAINERS, Dataset, InputError, Network, Unsupported, load_trainer, unavailable
from tests.book import Book

DTYPES = ("float32", "float64")


def or_skip(kind):
    """The trainer's constructor, for which a case it was not made for is a skip, with its reason."""

    def make(*arguments, **options):
        try:
            return kind(*arguments, **options)
        except Unsupported as reason:
            pytest.skip(str(reason))

    return make


def _computes_on_a_gpu(name):
    try:
        return load_trainer(name).device == "gpu"
    except Unsupported:  # without its library it is skipped, whatever it is
        return False


def _every_trainer():
    for name in (*TRAINERS, "tests.book:Book"):
        reason = unavailable(name)
        kind = or_skip(load_trainer(name)) if reason is None else None
        marks = [pytest.mark.gpu] * _computes_on_a_gpu(name) + [pytest.mark.skip(reason=str(reason))] * (reason is not None)
        yield pytest.param(kind, id=name, marks=marks)


pytestmark = pytest.mark.parametrize("kind", list(_every_trainer()))


def distance(network, other):
    """The largest relative distance over all weights and biases."""
    pairs = zip((*network.weights, *network.biases), (*other.weights, *other.biases), strict=True)
    return max(np.linalg.norm(p.astype(float) - q) / np.linalg.norm(q) for p, q in pairs)


def trained(kind, network, data, *, batch_size, learning_rate=3.0, order=None):
    trainer = kind(network, data, batch_size=batch_size, learning_rate=learning_rate)
    trainer.train_epoch(np.arange(len(data)) if order is None else order)
    return trainer.network()


def same_bits(network, other):
    return all(np.array_equal(p, q) for p, q in zip((*network.weights, *network.biases), (*other.weights, *other.biases), strict=True))


def test_twenty_steps_in_float32_are_those_of_the_float64_loop(kind, mnist):
    data, start = mnist.training.first(200), Network.gaussian([784, 30, 10])
    oracle = trained(load_trainer("loop"), start.astype(np.float64), data, batch_size=10)
    assert distance(trained(kind, start, data, batch_size=10), oracle) < 1e-4


@pytest.fixture(scope="session")
def epoch_of_the_book(mnist):
    start, order = Network.gaussian([784, 30, 10], seed=1, dtype=np.float64), mnist.training.order(seed=1)
    return start, order, trained(Book, start, mnist.training, batch_size=10, order=order)


def test_a_whole_epoch_in_float64_is_that_of_the_books_program(kind, mnist, epoch_of_the_book):
    # 5,000 steps at learning rate 3 amplify a rounding of 1e-16 a billionfold and more. By how much depends on the start: two correct
    # trainers ended 2e-8 to 1e-6 of the norm apart over three seeds and two BLAS; from this seed, 2e-7 at the most.
    start, order, oracle = epoch_of_the_book
    mine, right = (
        np.concatenate([array.ravel() for array in (*network.weights, *network.biases)])
        for network in (trained(kind, start, mnist.training, batch_size=10, order=order), oracle)
    )
    assert np.linalg.norm(mine - right) / np.linalg.norm(right) < 1e-6


def test_a_step_is_minus_eta_times_the_finite_difference_gradient(kind, small):
    start, eta, h = Network.scaled([6, 5, 4, 3], seed=3, dtype=np.float64), 0.7, 1e-5
    after = trained(kind, start, small, batch_size=len(small), learning_rate=eta)
    for arrays, moved in ((start.weights, after.weights), (start.biases, after.biases)):
        for p, q in zip(arrays, moved, strict=True):
            for place in np.ndindex(p.shape):
                value = p[place]
                p[place] = value + h
                above = start.cost(small)
                p[place] = value - h
                gradient = (above - start.cost(small)) / (2 * h)
                p[place] = value
                assert q[place] - value == pytest.approx(-eta * gradient, abs=1e-9)  # central differences err by h^2


def test_a_step_worked_out_by_hand(kind):
    def s(z):
        return 1 / (1 + math.exp(-z))

    start = Network([np.array([[0.1, -0.2], [0.4, 0.3]]), np.array([[0.5, -0.6]])], [np.array([[0.1], [-0.1]]), np.array([[0.2]])])
    x1, x2, eta = 0.5, 0.25, 2.0
    # one example of class 0, so y = 1 at the one output
    h1, h2 = s(0.1 * x1 - 0.2 * x2 + 0.1), s(0.4 * x1 + 0.3 * x2 - 0.1)
    a = s(0.5 * h1 - 0.6 * h2 + 0.2)
    delta = (a - 1) * a * (1 - a)
    delta1, delta2 = 0.5 * delta * h1 * (1 - h1), -0.6 * delta * h2 * (1 - h2)
    after = trained(kind, start, Dataset(np.array([[x1, x2]]), np.array([0])), batch_size=1, learning_rate=eta)
    np.testing.assert_allclose(after.weights[1], [[0.5 - eta * delta * h1, -0.6 - eta * delta * h2]], rtol=1e-12)
    np.testing.assert_allclose(after.biases[1], [[0.2 - eta * delta]], rtol=1e-12)
    np.testing.assert_allclose(
        after.weights[0],
        [[0.1 - eta * delta1 * x1, -0.2 - eta * delta1 * x2], [0.4 - eta * delta2 * x1, 0.3 - eta * delta2 * x2]],
        rtol=1e-12,
    )
    np.testing.assert_allclose(after.biases[0], [[0.1 - eta * delta1], [-0.1 - eta * delta2]], rtol=1e-12)


@pytest.mark.parametrize("batch_size", [1, 5, 22, 23, 24, 1000])
@pytest.mark.parametrize("layers", [[6, 3], [6, 4, 3], [6, 5, 4, 7, 3]], ids=str)
def test_any_depth_and_batch_size_agrees_with_one_step_at_a_time(kind, small, layers, batch_size):
    start = Network.scaled(layers, seed=1, dtype=np.float64)
    order = small.order(seed=5)
    stepwise = start
    for first in range(0, len(small), batch_size):
        examples = order[first : first + batch_size]
        part = Dataset(small.images[examples], small.labels[examples], small.classes)
        stepwise = trained(load_trainer("loop"), stepwise, part, batch_size=len(part))
    assert distance(trained(kind, start, small, batch_size=batch_size, order=order), stepwise) < 1e-12


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_of_the_callers_is_changed_and_nothing_of_it_is_kept(kind, small, dtype):
    images, labels, order = small.images.astype(dtype), small.labels.copy(), small.order(seed=0)
    start = Network.scaled([6, 4, 3], dtype=dtype)
    before = (start.astype(dtype), images.copy(), labels.copy(), order.copy())
    trainer = kind(start, Dataset(images, labels, 3), batch_size=4, learning_rate=3.0)
    trainer.train_epoch(order)
    first = trainer.network()
    assert same_bits(start, before[0])
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip((images, labels, order), before[1:], strict=True))

    untouched = before[0].astype(dtype)
    trainer.load(start)
    for array in (images, *start.weights, *start.biases, *first.weights):
        array[...] = 0
    trainer.train_epoch(before[3])
    assert same_bits(trainer.network(), trained(kind, untouched, Dataset(before[1], before[2], 3), batch_size=4, order=before[3]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_arguments_same_bits_and_load_goes_back_to_the_start(kind, small, dtype):
    start, order = Network.scaled([6, 4, 3], dtype=dtype), small.order(seed=2)
    trainer = kind(start, small, batch_size=4, learning_rate=3.0)
    assert same_bits(trainer.network(), start)
    trainer.train_epoch(order)
    once = trainer.network()
    assert once.dtype == dtype
    trainer.train_epoch(order)
    assert not same_bits(trainer.network(), once)
    trainer.load(start)
    trainer.train_epoch(order)
    assert same_bits(trainer.network(), once)
    assert same_bits(trained(kind, start, small, batch_size=4, order=order), once)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "int64", "uint64"])
def test_an_order_may_be_of_any_whole_type(kind, small, dtype):
    start, order = Network.scaled([6, 4, 3]), small.order(seed=2)
    assert same_bits(
        trained(kind, start, small, batch_size=4, order=order.astype(dtype)), trained(kind, start, small, batch_size=4, order=order)
    )


@pytest.mark.parametrize(
    "arguments",
    [{"batch_size": size} for size in (0, -1, 2.5, True, "10")] + [{"learning_rate": eta} for eta in (0.0, -1.0, math.nan, math.inf)],
    ids=str,
)
def test_bad_settings_are_refused(kind, small, arguments):
    with pytest.raises(InputError, match=r"batch size|learning rate"):
        kind(Network.scaled([6, 4, 3]), small, **{"batch_size": 4, "learning_rate": 1.0, **arguments})


@pytest.mark.parametrize(("layers", "message"), [([5, 4, 3], "6 pixels"), ([6, 4, 2], "3 classes")])
def test_layers_that_do_not_fit_the_data_are_refused(kind, small, layers, message):
    with pytest.raises(InputError, match=message):
        kind(Network.scaled(layers), small, batch_size=4, learning_rate=1.0)


@pytest.mark.parametrize(
    "order",
    [np.arange(22), np.arange(24), np.arange(23.0), np.arange(23)[:, None], np.arange(-1, 22), np.arange(1, 24), np.arange(23) > 3],
    ids=["short", "long", "floats", "a matrix", "below 0", "above", "truth values"],
)
def test_orders_that_do_not_fit_are_refused(kind, small, order):
    trainer = kind(Network.scaled([6, 4, 3]), small, batch_size=4, learning_rate=1.0)
    with pytest.raises(InputError, match="an order"):
        trainer.train_epoch(order)


@pytest.mark.parametrize("other", [Network.scaled([6, 5, 3]), Network.scaled([6, 4, 3], dtype=np.float64)], ids=["layers", "dtype"])
def test_another_network_cannot_be_loaded(kind, small, other):
    trainer = kind(Network.scaled([6, 4, 3]), small, batch_size=4, learning_rate=1.0)
    with pytest.raises(InputError, match="given to a trainer"):
        trainer.load(other)


def test_an_epoch_of_the_books_network_learns_the_digits(kind, mnist):
    # The short form of the book's 30 epochs, which end at 95 % (results/): 90.9 to 91.3 % was seen after one, from three starts.
    trainer = kind(Network.gaussian([784, 30, 10]), mnist.training, batch_size=10, learning_rate=3.0)
    trainer.train_epoch(mnist.training.order(seed=0))
    assert trainer.network().accuracy(mnist.test) > 0.9


def test_a_thousand_epochs_keep_nothing(kind, mnist):
    data, start = mnist.training.first(10), Network.scaled([784, 30, 10])
    trainer, order = kind(start, data, batch_size=4, learning_rate=1.0), data.order(seed=0)

    def train(epochs):
        for _ in range(epochs):
            trainer.load(start)
            trainer.train_epoch(order)
        trainer.network()
        gc.collect()
        return sys.getallocatedblocks(), psutil.Process().memory_info().rss

    blocks, memory = train(100)
    more_blocks, more_memory = train(900)
    assert more_blocks - blocks < 450, "less than an object every second epoch"
    # A network has 95,000 bytes; a library may still take a page here and there.
    assert more_memory - memory < 900 * 1500
