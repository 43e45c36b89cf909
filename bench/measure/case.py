"""A case: one trainer on one workload."""

from __future__ import annotations

from dataclasses import dataclass

from bench.machine.peaks import library_for
from bench.workload import Workload
from impls import Dataset, Network, Splits, Trainer, load_trainer, unavailable


@dataclass(frozen=True)
class Case:
    """One trainer on one workload. If the trainer cannot run here, `absent` gives the reason."""

    workload: Workload
    trainer: str
    absent: str | None = None

    def __str__(self) -> str:
        return f"{self.workload.name}-{self.trainer}"

    @property
    def title(self) -> str:
        """Name of the case in messages."""
        return f"{self.workload.name} {self.trainer}"

    @property
    def key(self) -> tuple[str, str]:
        """Workload and trainer, as in the CSV's columns of these names."""
        return self.workload.name, self.trainer

    def data(self, splits: Splits) -> Dataset:
        """Return the examples of an epoch."""
        return self.workload.data(splits)

    def start(self, splits: Splits) -> Network:
        """Return the network with the initial weights."""
        return self.workload.network(self.data(splits))

    def make_trainer(self, splits: Splits) -> Trainer:
        """Return the trainer with the initial weights. Raises Unsupported, and any exception of the trainer."""
        make, workload = load_trainer(self.trainer), self.workload
        return make(self.start(splits), self.data(splits), batch_size=workload.batch_size, learning_rate=workload.learning_rate)


def absent(trainer: str) -> str | None:
    """Return why a trainer cannot be measured here and the command that fixes it, or None if it can be measured."""
    reason = unavailable(trainer)
    if reason is None and library_for(load_trainer(trainer)) == "cupy" and (missing := unavailable("gpu")):
        return f"the peaks of its GPU are measured with CuPy. {missing}"
    return reason
