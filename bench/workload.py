"""What is trained: the network, the mini-batch, the step, the data's type and amount. The named ones, and grids."""

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
    """One training job, the same for whoever trains it.

    name           what tables call it
    hidden         widths of the hidden layers; the first and the last layer follow from the data
    batch_size     m, examples a mini-batch
    learning_rate  eta
    start          "gaussian", the book's N(0, 1), or "scaled", N(0, 1/n_in), without which wide layers saturate
    dtype          "float32" or "float64"
    examples       how many of the training examples make an epoch; None: all
    at_most        the same where `examples` is None: as many as there are, up to this
    seed           of the initial weights and of the order
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
        """Return the examples of an epoch. Raises InputError if there are fewer than the workload asks for."""
        training = splits.training
        examples = min(len(training), self.at_most or len(training)) if self.examples is None else self.examples
        if not 1 <= examples <= len(training):
            raise InputError(f"--examples {examples}: the training set has {len(training):,}; give 1 to {len(training)}")
        if not 1 <= self.batch_size <= examples:
            raise InputError(f"workload {self.name}: batch size {self.batch_size} does not fit {examples:,} examples; give 1 to {examples}")
        return training.first(examples)

    def layers(self, data: Dataset) -> tuple[int, ...]:
        """Return the widths (pixels, hidden ..., classes)."""
        return (data.images.shape[1], *self.hidden, data.classes)

    def title(self, layers: Sequence[int], examples: int) -> str:
        """Return the job in a line."""
        shape = "-".join(map(str, layers))
        return f"{self.name}: {shape}, batch {self.batch_size}, learning rate {self.learning_rate:g}, {examples:,} examples, {self.dtype}"

    def network(self, data: Dataset) -> Network:
        """Return the initial network: the same weights every time."""
        from impls import Network

        start = Network.gaussian if self.start == "gaussian" else Network.scaled
        return start(self.layers(data), seed=self.seed, dtype=self.dtype)


# `nielsen` is the book's and the blog's. The others' learning rates shrink as layers widen, because a step moves an output by a
# sum over the layer below it.
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
_GRID_UNITS = 3_000_000  # hidden units times examples of a grid's epoch
DEFAULT_WORKLOADS = ("nielsen", "wide")


def named(name: str) -> Workload:
    """Return the workload of that name. Raises InputError, with the nearest name, if there is none."""
    if name not in WORKLOADS:
        raise unknown("workload", name, WORKLOADS)
    return WORKLOADS[name]


def grid(batch_sizes: Sequence[int], widths: Sequence[int]) -> list[Workload]:
    """Return a workload with one hidden layer for each batch size and width, narrowest first.

    The wider, the fewer examples, so that a round of `loop` takes about a second everywhere; the same on every machine. A mini-batch
    is never cut short for it.
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
    """Return the hidden units of the grid's workload of that name, or None if it is none of a grid."""
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
    """Return the named workloads, or else the grid; a grid of batch sizes alone has 30 hidden units, one of widths batches of 10."""
    if names and (batch_sizes or widths):
        raise InputError("--workload names workloads and --batch-size or --hidden make a grid: give one or the other")
    workloads = [named(name) for name in names] if names else grid(batch_sizes or [10], widths or [30])
    return [replace(workload, dtype=dtype, examples=examples, seed=seed) for workload in dict.fromkeys(workloads)]
