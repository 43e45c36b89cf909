"""Named workloads and grids."""

from dataclasses import replace

import numpy as np
import pytest

from bench.machine.roofline import epoch_work
from bench.workload import WORKLOADS, chosen, grid, named
from impls import load_trainer
from tests.support.refusals import refused


def test_the_named_workloads_are_the_published_ones(mnist):
    layers = {name: (workload.layers(mnist.training), workload.batch_size) for name, workload in WORKLOADS.items()}
    assert layers == {
        "nielsen": ((784, 30, 10), 10),
        "wide": ((784, 100, 10), 100),
        "large": ((784, 1000, 10), 1000),
        "deep": ((784, 512, 512, 10), 256),
        "huge": ((784, 4096, 4096, 10), 4096),
    }
    assert WORKLOADS["nielsen"].learning_rate == 3.0
    assert [name for name, workload in WORKLOADS.items() if workload.start == "gaussian"] == ["nielsen"]


@pytest.mark.parametrize(("name", "epochs"), [("nielsen", 1), ("wide", 1), ("large", 2)])
def test_a_named_workload_learns(mnist, name, epochs):
    workload = replace(WORKLOADS[name], examples=20_000)
    data = workload.data(mnist)
    start = workload.network(data)
    trainer = load_trainer("matrix")(start, data, batch_size=workload.batch_size, learning_rate=workload.learning_rate)
    for epoch in range(epochs):
        trainer.train_epoch(data.order(seed=0, epoch=epoch))
    assert trainer.network().cost(mnist.test) < 0.9 * start.cost(mnist.test)
    assert trainer.network().accuracy(mnist.test) > start.accuracy(mnist.test) + 0.1


def test_the_initial_network_depends_only_on_the_seed(mnist):
    workload = named("wide")
    first, second = workload.network(mnist.training), workload.network(mnist.training)
    assert np.array_equal(first.weights[0], second.weights[0])
    assert not np.array_equal(first.weights[0], replace(workload, seed=1).network(mnist.training).weights[0])


def test_a_grid_is_deduplicated_and_sorted_by_width():
    assert [workload.name for workload in grid([10, 1, 10], [100, 30])] == ["h30-b1", "h30-b10", "h100-b1", "h100-b10"]
    assert [workload.name for workload in chosen([], [5], [])] == ["h30-b5"]
    assert [workload.name for workload in chosen([], [], [7])] == ["h7-b10"]


def test_wider_grid_workloads_have_fewer_examples_but_at_least_one_mini_batch(mnist):
    examples = {w.name: len(w.data(mnist)) for w in grid([1, 10_000], [30, 100, 1000])}
    assert examples == {
        "h30-b1": 50_000, "h30-b10000": 50_000, "h100-b1": 30_000, "h100-b10000": 30_000, "h1000-b1": 3_000, "h1000-b10000": 10_000,
    }  # fmt: skip
    (asked,) = chosen([], [10], [1000], examples=50_000)
    assert len(asked.data(mnist)) == 50_000


def test_invalid_workloads_raise_input_error(mnist):
    with refused("unknown workload 'larg'", "large"):
        named("larg")
    with refused("--workload", "--batch-size"):
        chosen(["wide"], [1], [])
    for examples, thing, fact in ((0, "--examples 0", "50,000"), (50_001, "--examples 50001", "50,000"), (9, "workload nielsen", "1 to 9")):
        with refused(thing, fact):
            replace(named("nielsen"), examples=examples).data(mnist)


@pytest.mark.parametrize(
    ("layers", "by_hand"),
    [
        ((784, 30, 10), 2 * (2 * 784 * 30 + 3 * 30 * 10)),
        ((4, 3), 2 * (2 * 4 * 3)),
        ((5, 4, 3, 2), 2 * (2 * 5 * 4 + 3 * 4 * 3 + 3 * 3 * 2)),
    ],
)
def test_operations_of_an_epoch_match_a_count_by_hand(layers, by_hand):
    assert epoch_work(layers, 1, 4).flops == by_hand
    assert epoch_work(layers, 50_000, 4).flops == 50_000 * by_hand
