"""A case: one trainer on one workload."""

from __future__ import annotations

from dataclasses import dataclass

from bench.workload import Workload
from impls import Dataset, Network, Splits, Trainer, load_trainer, unavailable


@dataclass(frozen=True)
class Case:
    """One trainer on one workload. `absent` says why the trainer cannot run here, if it cannot."""

    workload: Workload
    trainer: str
    absent: str | None = None

    def __str__(self) -> str:
        return f"{self.workload.name}-{self.trainer}"

    @property
    def title(self) -> str:
        """The case's name in messages."""
        return f"{self.workload.name} {self.trainer}"

    @property
    def key(self) -> tuple[str, str]:
        """The workload and the trainer, as the CSV's columns name them."""
        return self.workload.name, self.trainer

    def data(self, splits: Splits) -> Dataset:
        """Return the examples of its epoch."""
        return self.workload.data(splits)

    def start(self, splits: Splits) -> Network:
        """Return the network from which each of its epochs starts."""
        return self.workload.network(self.data(splits))

    def make_trainer(self, splits: Splits) -> Trainer:
        """Return its trainer, ready to train from the start. Raises Unsupported, or what the trainer raises."""
        make, workload = load_trainer(self.trainer), self.workload
        return make(self.start(splits), self.data(splits), batch_size=workload.batch_size, learning_rate=workload.learning_rate)


def absent(trainer: str) -> str | None:
    """Return why a trainer cannot be measured here, with the command that would mend it, or None if it can."""
    reason = unavailable(trainer)
    if reason is None and load_trainer(trainer).device == "gpu" and (missing := unavailable("gpu")):
        return f"what a GPU does at most is measured with CuPy. {missing}"
    return reason
