"""Job of a worker: one epoch to train, in one file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from impls import Dataset, Network


@dataclass(frozen=True)
class EpochJob:
    """One epoch with all of its inputs, so that every trainer trains the same.

    start   initial network
    data    examples
    order   order of the examples, shape (len(data),)
    """

    start: Network
    data: Dataset
    order: npt.NDArray[np.int64]
    batch_size: int
    learning_rate: float

    def astype(self, dtype: npt.DTypeLike) -> EpochJob:
        """Return the same job with its initial network rounded to the dtype, which is the dtype of all arithmetic."""
        return replace(self, start=self.start.astype(dtype))

    def write(self, path: Path) -> Path:
        """Write the job to one file and return its path. The file is not compressed, because every process reads it again."""
        facts = {"batch_size": self.batch_size, "learning_rate": self.learning_rate, "classes": self.data.classes}
        with path.open("wb") as file:
            np.savez(
                file, images=self.data.images, labels=self.data.labels, order=self.order, facts=json.dumps(facts), **_arrays(self.start)
            )
        return path

    @classmethod
    def read(cls, path: Path) -> EpochJob:
        """Read a job from a file that `write` wrote."""
        with np.load(path, allow_pickle=False) as file:
            facts: dict[str, Any] = json.loads(str(file["facts"]))
            data = Dataset(file["images"], file["labels"], facts.pop("classes"))
            return cls(start=_network(file), data=data, order=file["order"], **facts)


def write_network(network: Network, path: Path) -> None:
    """Write a network's weights and biases to a file."""
    with path.open("wb") as file:
        np.savez(file, **_arrays(network))


def read_network(path: Path) -> Network:
    """Read a network from a file that `write_network` wrote. Raises OSError, ValueError or KeyError for any other file."""
    with np.load(path, allow_pickle=False) as file:
        return _network(file)


def _network(file: Any) -> Network:
    """Return the network in an open .npz file that holds w0, w1, ... and b0, b1, ..."""
    depth = sum(name.startswith("w") for name in file)
    return Network([file[f"w{number}"] for number in range(depth)], [file[f"b{number}"] for number in range(depth)])


def _arrays(network: Network) -> dict[str, Any]:
    return {f"{letter}{number}": a for letter, all in (("w", network.weights), ("b", network.biases)) for number, a in enumerate(all)}
