"""Symmetries of an epoch: permutations that change its rounding and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.verify.epoch_job import EpochJob
from impls import Dataset, Network


class Symmetry:
    """A random permutation of the pixels, of the units of each hidden layer, and of the examples in each mini-batch.

    A trainer adds the same numbers in another order. So its result, with the units and pixels permuted back, differs only by rounding.
    """

    def __init__(self, layers: Sequence[int], seed: int) -> None:
        """Draw the permutations of the units. `applied` draws those of the examples.

        layers  widths of the layers, input first
        """
        self._rng = np.random.default_rng(seed)
        self._units = [*(self._rng.permutation(width) for width in layers[:-1]), np.arange(layers[-1])]

    def applied(self, job: EpochJob) -> EpochJob:
        """Return the permuted job."""
        m, order, data = job.batch_size, job.order, job.data
        mini_batches = [self._rng.permutation(order[first : first + m]) for first in range(0, len(order), m)]
        return replace(
            job,
            start=_permuted(job.start, self._units),
            data=Dataset(np.ascontiguousarray(data.images[:, self._units[0]]), data.labels, data.classes),
            order=np.concatenate(mini_batches),
        )

    def undone(self, network: Network) -> Network:
        """Return the network that a permuted job trained, with its units and pixels permuted back."""
        return _permuted(network, [np.argsort(units) for units in self._units])


def _permuted(network: Network, units: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]]) -> Network:
    weights = [w[np.ix_(above, below)] for w, below, above in zip(network.weights, units, units[1:], strict=False)]
    return Network(weights, [b[above] for b, above in zip(network.biases, units[1:], strict=True)])
