"""Workloads: network, mini-batch size, learning rate, dtype and number of examples. Named workloads, and grids."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from impls.errors import InputError, unknown

if TYPE_CHECKING:
    from impls import Dataset, Network, Splits


@dataclass(frozen=True)
class Workload:
    """A training job, identical for every trainer.

    name           name in tables
    hidden         widths of the hidden layers; the data determines the first and the last layer
    batch_size     m, examples per mini-batch
    learning_rate  eta
    start          "gaussian": the book's N(0, 1); "scaled": N(0, 1/n_in), because wide layers saturate with N(0, 1)
    dtype          "float32" or "float64"
    examples       training examples per epoch; None: all, up to `at_most`
    at_most        upper limit if `examples` is None
    seed           seed of the initial weights and of the order
    """

    name: str
    hidden: tuple[int, ...]
    batch_size: int
    learning_rate: float
    start: Literal["gaussian", "scaled"] = "scaled"
    dtype: str = "float32"
    examples: int | None = None
    seed: int = 0
    at_most: int | None = None

    def data(self, splits: Splits) -> Dataset:
        """Return the examples of an epoch. Raises InputError if the number of examples or the batch size does not fit the training set."""
        training = splits.training
        examples = min(len(training), self.at_most or len(training)) if self.examples is None else self.examples
        if not 1 <= examples <= len(training):
            raise InputError(f"--examples {examples}", f"the training set has {len(training):,} examples", f"give 1 to {len(training)}")
        if not 1 <= self.batch_size <= examples:
            why = f"batch size {self.batch_size} does not fit {examples:,} examples"
            raise InputError(f"workload {self.name}", why, f"give a --batch-size from 1 to {examples}, or more --examples")
        return training.first(examples)

    def layers(self, data: Dataset) -> tuple[int, ...]:
        """Return the layer widths (pixels, hidden ..., classes)."""
        return (data.images.shape[1], *self.hidden, data.classes)

    def title(self, layers: Sequence[int], examples: int) -> str:
        """Return a one-line description."""
        shape = "-".join(map(str, layers))
        return f"{self.name}: {shape}, batch {self.batch_size}, learning rate {self.learning_rate:g}, {examples:,} examples, {self.dtype}"

    def network(self, data: Dataset) -> Network:
        """Return the initial network, with the same weights at every call."""
        from impls import Network

        start = Network.gaussian if self.start == "gaussian" else Network.scaled
        return start(self.layers(data), seed=self.seed, dtype=self.dtype)


# `nielsen` is the workload of the book and of the blog. The other learning rates shrink as layers widen, because a step changes an
# output by a sum over the layer below.
WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("nielsen", (30,), batch_size=10, learning_rate=3.0, start="gaussian"),
        Workload("wide", (100,), batch_size=100, learning_rate=1.0),
        Workload("large", (1000,), batch_size=1000, learning_rate=0.2),
        Workload("deep", (512, 512), batch_size=256, learning_rate=0.5),
        Workload("huge", (4096, 4096), batch_size=4096, learning_rate=0.05),
    )
}
_GRID_UNITS = 3_000_000  # hidden units times examples in an epoch of a grid workload
DEFAULT_WORKLOADS = ("nielsen", "wide")


def named(name: str) -> Workload:
    """Return the workload with this name. Raises InputError, with the closest name, if the name is unknown."""
    if name not in WORKLOADS:
        raise unknown("workload", name, WORKLOADS)
    return WORKLOADS[name]


def grid(batch_sizes: Sequence[int], widths: Sequence[int]) -> list[Workload]:
    """Return a workload with one hidden layer for every batch size and width, narrowest first.

    Wider networks get fewer examples, so that a round of `loop` takes about a second. The numbers are the same on every machine.
    Every workload has at least one full mini-batch.
    """
    return [
        Workload(
            f"h{width}-b{batch_size}",
            (width,),
            batch_size,
            learning_rate=3.0 * min(1.0, 30 / width),
            at_most=max(_GRID_UNITS // width, batch_size),
        )
        for width, batch_size in itertools.product(sorted(set(widths)), sorted(set(batch_sizes)))
    ]


def grid_width(name: str) -> int | None:
    """Return the number of hidden units of a grid workload, or None if the name is not that of a grid workload."""
    match = re.fullmatch(r"h([1-9]\d{0,8})-b[1-9]\d{0,8}", name, re.ASCII)
    return int(match[1]) if match else None


def chosen(
    names: Sequence[str],
    batch_sizes: Sequence[int],
    widths: Sequence[int],
    *,
    dtype: str = "float32",
    examples: int | None = None,
    seed: int = 0,
) -> list[Workload]:
    """Return the named workloads, or a grid if no names are given. A grid defaults to 30 hidden units and batches of 10.

    Raises InputError for names together with a grid.
    """
    if names and (batch_sizes or widths):
        raise InputError("--workload", "cannot be combined with the grid of --batch-size and --hidden", "give one or the other")
    workloads = [named(name) for name in names] if names else grid(batch_sizes or [10], widths or [30])
    return [replace(workload, dtype=dtype, examples=examples, seed=seed) for workload in dict.fromkeys(workloads)]
