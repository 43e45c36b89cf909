"""Tests of the network: prediction, initialisation, and invalid arguments."""

import math
import warnings

import numpy as np
import pytest

from impls import Dataset, Network
from impls.network import sigmoid
from tests.support.refusals import refused


def test_predict_accuracy_and_cost_by_hand():
    network = Network([np.array([[1.0, -1.0], [0.5, 0.5]])], [np.array([[0.0], [-0.25]])])
    images = np.array([[1.0, 0.0], [0.0, 1.0]])
    expected = np.array([[1 / (1 + math.exp(-1.0)), 1 / (1 + math.exp(-0.25))], [1 / (1 + math.exp(1.0)), 1 / (1 + math.exp(-0.25))]])
    np.testing.assert_allclose(network.predict(images), expected, rtol=1e-14)
    data = Dataset(images, np.array([0, 0]), classes=2)
    assert network.accuracy(data) == 0.5
    wanted = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert network.cost(data) == pytest.approx(((expected - wanted) ** 2).sum() / 4, rel=1e-14)


def test_sigmoid_neither_overflows_nor_warns():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sigmoid(np.array([-1e4, 0.0, 1e4], np.float32)).tolist() == [0.0, 0.5, 1.0]
    z = np.linspace(-20, 20, 101)
    np.testing.assert_allclose(sigmoid(z), 1 / (1 + np.exp(-z)), atol=1e-15)


@pytest.mark.parametrize("start", [Network.gaussian, Network.scaled])
def test_a_seed_gives_the_same_start_in_both_dtypes(start):
    single, double, other = start([50, 20, 5], seed=3), start([50, 20, 5], seed=3, dtype="float64"), start([50, 20, 5], seed=4)
    assert single.dtype == np.float32
    for mine, theirs in zip(single.weights + single.biases, double.weights + double.biases, strict=True):
        np.testing.assert_array_equal(mine, theirs.astype(np.float32))
    assert not np.array_equal(single.weights[0], other.weights[0])


def test_scaled_weights_have_variance_one_over_the_number_of_inputs():
    # With 80,000 weights the sample standard deviation is within 1 % of the true one, except for 1 case in 10,000.
    assert Network.scaled([400, 200, 10]).weights[0].std() * 20 == pytest.approx(1, rel=0.01)
    assert Network.gaussian([400, 200, 10]).weights[0].std() == pytest.approx(1, rel=0.01)


def test_a_network_copies_its_arguments():
    w, b = np.ones((2, 3)), np.zeros((2, 1))
    network = Network([w], [b])
    w[...] = 5
    assert network.weights[0].max() == 1
    assert network.layers == (3, 2)


@pytest.mark.parametrize(
    ("weights", "biases"),
    [
        ([], []),
        ([np.ones((2, 3))], []),
        ([np.ones((2, 3))], [np.ones(2)]),
        ([np.ones((2, 3))], [np.ones((3, 1))]),
        ([np.ones((2, 3)), np.ones((2, 3))], [np.ones((2, 1))] * 2),
        ([np.ones((2, 3), int)], [np.ones((2, 1), int)]),
        ([np.ones((2, 3))], [np.ones((2, 1), np.float32)]),
        ([np.ones((2, 0))], [np.ones((2, 1))]),
    ],
    ids=["nothing", "no biases", "flat biases", "wrong biases", "layers that do not follow", "integers", "two dtypes", "no inputs"],
)
def test_weights_and_biases_that_do_not_match_raise_a_one_line_error(weights, biases):
    with refused("network"):
        Network(weights, biases)


@pytest.mark.parametrize("layers", [[], [3], [3, 0], [3, -1, 2]], ids=str)
def test_invalid_layers_raise_an_error(layers):
    with refused(f"layers {'-'.join(map(str, layers)) or '()'}"):
        Network.scaled(layers)
